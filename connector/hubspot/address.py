"""Which addresses of HubSpot's API a token may be sent to, and which tokens can be sent at all."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from connector.errors import Misconfigured
from connector.hubspot.answer import clean
from connector.secret import Secret, unfit_for_a_header


def checked(base_url: str) -> str:
    """The address without a slash at its end. Raises Misconfigured."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme not in {"https", "http"} or not host or parts.username or parts.password:
        raise Misconfigured("this is not an address of HubSpot's API", where=clean(base_url, 200))
    if parts.scheme == "http" and not _is_loopback(host):
        raise Misconfigured(
            "plain http would show the token to everybody on the way",
            where=clean(base_url, 200),
            remedy="Use https; http is allowed on this machine only (127.0.0.0/8, ::1, localhost).",
        )
    return base_url.rstrip("/")


def sendable(token: Secret) -> Secret:
    """The token, if a request can carry it. Raises Misconfigured."""
    why = unfit_for_a_header(token.reveal())
    if why:
        raise Misconfigured(f"the token {why}", where="[hubspot] token", remedy="Write it anew.")
    return token


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
