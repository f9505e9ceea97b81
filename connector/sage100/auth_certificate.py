"""Our certificate, shown to agents that ask for one in place of an API key (mTLS).

The key comes from a secret and not from a file, and OpenSSL reads only files: it is handed over in
one that exists in memory alone, or, where there is no such thing, readable by us alone and deleted
at once.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from connector.errors import Misconfigured
from connector.secret import Secret

_WHERE: Final = "[sage100.auth] client_certificate, client_key"


class ClientCertificate(msgspec.Struct, frozen=True):
    """A certificate (PEM, its issuers after it) and its private key (PEM, without a pass phrase).

    Called with a TLS context, it lets that show the certificate to servers that ask for one. That
    reads files, so it belongs into a thread. Raises Misconfigured for what cannot be used.
    """

    certificate: Path
    key: Secret

    def __call__(self, context: ssl.SSLContext) -> None:
        try:
            with _as_file(self.key) as path:
                # Without a password OpenSSL would ask the terminal for one.
                context.load_cert_chain(self.certificate, path, password=_no_password)
        except _Encrypted:
            raise _unusable("the key is encrypted", "Give it without a pass phrase.") from None
        except ssl.SSLError as problem:
            if problem.reason == "KEY_VALUES_MISMATCH":
                raise _unusable(
                    "the key is not that of the certificate", "Give the pair that belongs together."
                ) from None
            raise _unusable(
                "one of them is no PEM",
                "Give a PEM file with the certificate, and the PEM text of its private key.",
            ) from None
        except OSError as problem:
            raise _unusable(problem.strerror or "unreadable", "See that both are there.") from None
        context.post_handshake_auth = True  # IIS may ask only once it knows the path


def client_certificate(certificate: Path | None, key: Secret | None) -> ClientCertificate | None:
    """What [sage100.auth] gives, None when it gives neither."""
    if certificate is None or key is None:
        return None
    return ClientCertificate(certificate, key)


class _Encrypted(Exception):
    pass


def _no_password() -> str:
    raise _Encrypted


@contextlib.contextmanager
def _as_file(secret: Secret) -> Iterator[str]:
    """The path of a file with this content, for as long as the block runs."""
    content = secret.reveal().encode()
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        with open(os.memfd_create("key"), "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
        return
    handle, path = tempfile.mkstemp()  # mode 0600
    try:
        with open(handle, "wb") as file:
            file.write(content)
        yield path
    finally:
        os.unlink(path)


def _unusable(why: str, remedy: str) -> Misconfigured:
    return Misconfigured(
        f"The client certificate cannot be shown: {why}.", where=_WHERE, remedy=remedy
    )
