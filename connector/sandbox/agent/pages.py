"""Pages that others answer in the agent's stead: IIS without it, a tunnel without its end.

Reference 6 and 9.1: a missing WCF activation is 404.3, a broken configuration 500.19, a stopped
application pool 503, and a tunnel whose end is down says 530 with error 1033, through some proxies
even with status 200. All are HTML, none is a SOAP fault.
"""

from __future__ import annotations

from typing import Literal

PageName = Literal["iis-404.3", "iis-500.19", "iis-503", "tunnel-502", "tunnel-530"]

_HTML = """<!DOCTYPE html>
<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8">
<title>{title}</title></head>
<body><h1>{title}</h1><p>{text}</p><hr><p>{foot}</p></body></html>
"""

_TEXTS: dict[PageName, tuple[int, str, str, str]] = {
    "iis-404.3": (
        404,
        "HTTP Error 404.3 - Not Found",
        "No handler is registered for the extension .svc: HTTP activation is not installed.",
        "Internet Information Services",
    ),
    "iis-500.19": (
        500,
        "HTTP Error 500.19 - Internal Server Error",
        "The configuration data of this page is invalid. Error code 0x8007000d, web.config",
        "Internet Information Services",
    ),
    "iis-503": (
        503,
        "Service Unavailable",
        "HTTP Error 503. The service is unavailable: its application pool is stopped.",
        "HTTP.SYS",
    ),
    "tunnel-502": (502, "502 Bad Gateway", "The origin did not answer.", "tunnel"),
    "tunnel-530": (
        530,
        "Error 1033",
        "The tunnel of sage.example is known, but nothing is connected to its other end.",
        "tunnel &bull; Ray ID 8f1e2d3c4b5a6978",
    ),
}
PAGES: tuple[PageName, ...] = tuple(_TEXTS)


def usual_status(name: PageName) -> int:
    """The HTTP status such a page comes with, when nobody in between has changed it."""
    return _TEXTS[name][0]


def html(name: PageName) -> str:
    """The page."""
    _, title, text, foot = _TEXTS[name]
    return _HTML.format(title=title, text=text, foot=foot)
