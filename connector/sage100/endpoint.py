"""Where an agent may be: HTTPS anywhere, plain HTTP only inside this machine.

Passwords and customer data travel there, so this is checked by the client itself and not left to
whoever wrote the configuration.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import ssl
from pathlib import Path

from yarl import URL

from connector.errors import Misconfigured


def endpoint_of(text: str) -> URL:
    """The endpoint as a URL. Raises Misconfigured for anything but a safe, absolute address."""
    try:
        url = URL(text)
        port = url.port
    except ValueError:
        raise _refused("is no URL", "https://HOST[:PORT]/PATH") from None
    if url.scheme not in {"https", "http"} or not url.host or not port:
        raise _refused(f"{text!r} is no web address", "https://HOST[:PORT]/PATH")
    if url.user is not None or url.password is not None:
        raise _refused("holds a user name or password", "[sage100.auth] for them")
    if url.query_string or url.fragment:
        raise _refused(f"{text!r} has a query or fragment", "the address without it")
    if url.scheme == "http" and not is_loopback(url.host):
        raise _refused(f"{text!r} would send passwords readable by anyone", "https://")
    return url


def same_agent(endpoint: str) -> str:
    """A text that is the same for every spelling of one endpoint: IIS cares for case nowhere."""
    url = endpoint_of(endpoint)
    host = (url.host or "").casefold().rstrip(".")
    return f"{url.scheme}://{host}:{url.port}{url.path.casefold().rstrip('/')}"


def is_loopback(host: str) -> bool:
    """Whether this host is this machine, whatever a name server says."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


def tls_context(ca_bundle: Path | None = None, pin: str | None = None) -> ssl.SSLContext:
    """Who is trusted: the certificates in the bundle (PEM), or without one this machine's.

    With a `pin` ("sha256:HEX") the handshake also fails for any other certificate; with a pin alone
    nobody is trusted yet, see `trust`. Host names are always checked, against the certificate's
    subject alternative names only (RFC 9525), and TLS is 1.2 at least. Raises Misconfigured for a
    bundle that cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain, dates and host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    # What is listed is trusted, be it a root or not: an issuing CA, or the certificate itself.
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    if pin is not None:
        context.sslobject_class = _pinned(pin.lower())
    if ca_bundle is not None:
        _load(context, ca_bundle)
    elif pin is None:
        context.load_default_certs()
    return context


def _load(context: ssl.SSLContext, ca_bundle: Path) -> None:
    try:
        context.load_verify_locations(cafile=str(ca_bundle))
    except (OSError, ssl.SSLError) as problem:
        reason = problem.strerror or "it holds no PEM certificates"
        raise Misconfigured(
            f"The CA bundle cannot be used: {reason}.",
            where=f"[sage100.tls] ca_bundle = {str(ca_bundle)!r}",
            remedy="Name a PEM file with the certificate of the issuer of the agent's certificate.",
        ) from None


def _pinned(pin: str) -> type[ssl.SSLObject]:
    """A TLS connection that ends its handshake with the pinned certificate or not at all."""

    class Pinned(ssl.SSLObject):
        """Runs inside the handshake: asyncio hands no byte of ours over before it is done."""

        def do_handshake(self) -> None:
            super().do_handshake()
            shown = self.getpeercert(binary_form=True) or b""
            if not hmac.compare_digest(f"sha256:{hashlib.sha256(shown).hexdigest()}", pin):
                raise ssl.SSLCertVerificationError("the certificate is not the pinned one")

    return Pinned


def _refused(why: str, instead: str) -> Misconfigured:
    return Misconfigured(
        f"The agent's address {why}.", where="[[sage100]] endpoint", remedy=f"Use {instead}."
    )
