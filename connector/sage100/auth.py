"""Who we are to an agent: a Windows account for IIS, and a key for the agent itself.

Both layers are checked on every request. Here they become headers; schemes that authenticate the
connection instead of the request will need the connection as well.
"""

from __future__ import annotations

import base64

import msgspec

from connector.errors import Misconfigured
from connector.secret import Secret


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What [sage100.auth] holds. `username` "": the web server asks for no account."""

    username: str = ""
    password: Secret | None = None
    api_key: Secret | None = None

    def __post_init__(self) -> None:
        if ":" in self.username:
            raise _misfit("username", "must not hold a colon: Basic cannot carry one")
        if bool(self.username) != (self.password is not None):
            raise _misfit("username, password", "belong together: give both or none")
        key = "" if self.api_key is None else self.api_key.reveal()
        if not key.isascii() or not key.isprintable() or key.strip() != key:
            raise _misfit("api_key", "must be printable ASCII without blanks around it")


def headers(credentials: Credentials) -> dict[str, str]:
    """The headers that every request carries."""
    sent = {}
    if credentials.password is not None:
        sent["Authorization"] = f"Basic {_basic(credentials.username, credentials.password)}"
    if credentials.api_key is not None:
        sent["X-API-Key"] = credentials.api_key.reveal()
    return sent


def hidden(credentials: Credentials) -> tuple[str, ...]:
    """Every text by which the secrets could show up in an answer, longest first."""
    texts = []
    if credentials.password is not None:
        texts += [
            credentials.password.reveal(),
            _basic(credentials.username, credentials.password),
        ]
    if credentials.api_key is not None:
        texts.append(credentials.api_key.reveal())
    return tuple(sorted(texts, key=len, reverse=True))


def _basic(username: str, password: Secret) -> str:
    return base64.b64encode(f"{username}:{password.reveal()}".encode()).decode()


def _misfit(key: str, why: str) -> Misconfigured:
    return Misconfigured(f"{key} {why}.", where="[sage100.auth]")
