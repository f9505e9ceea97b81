"""Taking in an HTTP response: so much of it and no more, whatever it is.

What is no JSON is kept as an excerpt, and a header that is absurd counts as none.
"""

from __future__ import annotations

from typing import Any, Final

import aiohttp
import msgspec

from connector.hubspot.answer import Answer, clean, text_of
from connector.hubspot.errors import OutcomeUnknown

_LIMIT_BYTES: Final = 32 * 1024 * 1024
_EXCERPT: Final = 300
_LONGEST_MOVE_S: Final = 86_400.0
_KEEP_HEADERS: Final = ("retry-after", "x-hubspot-correlation-id", "content-type", "cf-ray")


async def receive(response: aiohttp.ClientResponse, headers: dict[str, str]) -> Answer:
    """The answer in full. `headers`: the response's, names in lower case. Raises OutcomeUnknown."""
    content = bytearray()
    async for chunk in response.content.iter_chunked(256 * 1024):
        content += chunk
        if len(content) > _LIMIT_BYTES:
            raise OutcomeUnknown(
                f"the answer is larger than {_LIMIT_BYTES // 1024**2} MiB",
                where=str(response.url),
            )
    body: Any = None
    text = ""
    if content:
        try:
            body = msgspec.json.decode(content)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            text = clean(bytes(content[: _EXCERPT * 4]).decode(errors="replace"), _EXCERPT)
    correlation_id = headers.get("x-hubspot-correlation-id", "")
    if not correlation_id and isinstance(body, dict):
        correlation_id = text_of(body.get("correlationId"))
    return Answer(
        status=response.status,
        body=body,
        text=text,
        headers={name: headers[name] for name in _KEEP_HEADERS if name in headers},
        correlation_id=clean(correlation_id, 64),
        retry_after_s=_retry_after_s(response.status, headers.get("retry-after", "")),
    )


def _retry_after_s(status: int, text: str) -> float | None:
    """Seconds to wait, when that is sane. Only 477 (a move between data centres) may take long."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        return None
    seconds = float(text)
    if status == 477:
        return min(seconds, _LONGEST_MOVE_S)
    if seconds > 1000:
        seconds /= 1000  # milliseconds, then
    return seconds if 0 < seconds <= 60 else None
