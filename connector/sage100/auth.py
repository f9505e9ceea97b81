"""Who we are to an agent: a Windows account for IIS, and a key for the agent itself.

Both layers are checked on every request. Basic and the key travel in headers, made here; NTLM and
Negotiate authenticate the connection and take several requests (`auth_handshake`, `auth_logon`). A
client certificate in place of the key belongs to TLS (`auth_certificate`).
"""

from __future__ import annotations

import base64
from typing import Final, Literal

import msgspec

from connector.errors import Misconfigured
from connector.sage100.auth_certificate import ClientCertificate
from connector.secret import Secret

Scheme = Literal["negotiate", "ntlm", "basic"]

# What a scheme is called in WWW-Authenticate and Authorization.
ON_THE_WIRE: Final[dict[Scheme, str]] = {
    "negotiate": "Negotiate",
    "ntlm": "NTLM",
    "basic": "Basic",
}


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What [sage100.auth] holds. `username` "": the web server asks for no account.

    `username` is `DOMAIN\\user`, `user@domain` or `user`. `certificate` is shown by TLS.
    """

    username: str = ""
    password: Secret | None = None
    api_key: Secret | None = None
    certificate: ClientCertificate | None = None
    scheme: Scheme = "basic"

    def __post_init__(self) -> None:
        if self.scheme == "basic" and ":" in self.username:
            raise _misfit("username", "must not hold a colon: Basic cannot carry one")
        if bool(self.username) != (self.password is not None):
            raise _misfit("username, password", "belong together: give both or none")
        key = "" if self.api_key is None else self.api_key.reveal()
        if not key.isascii() or not key.isprintable() or key.strip() != key:
            raise _misfit("api_key", "must be printable ASCII without blanks around it")

    @property
    def by_connection(self) -> bool:
        """Whether the log-on authenticates the connection, in several legs."""
        return self.password is not None and self.scheme != "basic"


def headers(credentials: Credentials) -> dict[str, str]:
    """The headers that every request carries."""
    sent = {}
    if credentials.password is not None and credentials.scheme == "basic":
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


def shown(credentials: Credentials) -> str:
    """The certificate that an agent is shown, "" for none. Reads its file: raises OSError."""
    ours = credentials.certificate
    return "" if ours is None else ours.certificate.read_text("ascii", "replace")


def said(credentials: Credentials, certificate: str) -> list[str]:
    """All that an agent is told of us, secrets among it. `certificate`: as `shown`."""
    ours = credentials.certificate
    secrets = (credentials.password, credentials.api_key, None if ours is None else ours.key)
    return [
        credentials.scheme,
        credentials.username,
        *("" if secret is None else secret.reveal() for secret in secrets),
        certificate,
    ]


def _basic(username: str, password: Secret) -> str:
    return base64.b64encode(f"{username}:{password.reveal()}".encode()).decode()


def _misfit(key: str, why: str) -> Misconfigured:
    return Misconfigured(f"{key} {why}.", where="[sage100.auth]")
