"""The Windows service account: how it may be named, its password, and the lock on it.

Windows knows an account as `DOMAIN\\user`, `user@domain` and, on its own machine, `user`, whatever
the case. With `lock_after` set, so many wrong passwords lock the account, and then the right one is
refused like a wrong one: the answer does not tell which, and only the books (`calls`) do.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import tempfile
from collections.abc import Iterator

from spnego._ntlm_raw.crypto import ntowfv1  # no public name makes the hash of a password

from connector.sandbox.agent.calls import Calls

_USERS_FILE = "NTLM_USER_FILE"  # where the library looks accounts up


class Account:
    """One account; `name` in any of the three forms."""

    def __init__(
        self, name: str, password: str, *, lock_after: int | None = None, calls: Calls | None = None
    ) -> None:
        self._names = spellings(name)
        self._password = password
        self._lock_after = lock_after
        self._calls = calls or Calls()
        self._wrong = 0  # in a row, as Windows counts

    @property
    def locked(self) -> bool:
        """Whether wrong passwords have locked it."""
        return self._lock_after is not None and self._wrong >= self._lock_after

    def unlock(self) -> None:
        """What an administrator does."""
        self._wrong = 0

    def lock_after(self, wrong: int | None) -> None:
        """Lock it after so many wrong passwords from now on, None: never."""
        self._lock_after = wrong

    def change_password(self, password: str) -> None:
        """Another password from now on; connections that have logged on stay."""
        self._password = password

    def admits(self, scheme: str, *, right: bool) -> bool:
        """Enter an attempt into the books; whether it lets in."""
        if right and not self.locked:
            self._wrong = 0
            self._calls.logons[scheme] += 1
            return True
        self._wrong += 1
        self._calls.wrong_logons[scheme] += 1
        return False

    def knows(self, name: str, password: str) -> bool:
        """Whether this is the account and its password; compared in constant time."""
        right = hmac.compare_digest(password.encode(), self._password.encode())
        return right and name.lower() in self._names

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """Let the library find the account, for what is done before anything else can run.

        The file holds the hash of the password and is gone afterwards.
        """
        digest = ntowfv1(self._password).hex()
        before = os.environ.get(_USERS_FILE)
        with tempfile.TemporaryDirectory(prefix="sandbox-agent-") as folder:
            path = os.path.join(folder, "users")
            with open(
                os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8"
            ) as file:
                file.writelines(f"{name}:0:{'0' * 32}:{digest}:[U]:LCT-0\n" for name in self._names)
            os.environ[_USERS_FILE] = path
            try:
                yield
            finally:
                if before is None:
                    del os.environ[_USERS_FILE]
                else:
                    os.environ[_USERS_FILE] = before


def spellings(name: str) -> frozenset[str]:
    """Every form Windows takes for an account, in small letters; a short domain has no suffix."""
    domain, slash, user = name.lower().rpartition("\\")
    if not slash:
        user, _, domain = name.lower().partition("@")
    if not domain:
        return frozenset({user})
    short = domain.partition(".")[0]
    return frozenset({user, f"{short}\\{user}", f"{domain}\\{user}", f"{user}@{domain}"})
