"""What HubSpot answered, as plain data, and the few things every reader of it asks.

Bodies come from outside and may be anything: JSON of the wrong shape, HTML, nothing. The readers
here give an empty value where a field is missing or of another kind, and never raise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

MESSAGE_LIMIT: Final = 500  # characters of HubSpot's text kept; whole option lists come in errors
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


class Answer(msgspec.Struct, frozen=True):
    """One HTTP answer. `body`: decoded JSON, or None; `text`: an excerpt when it is not JSON.

    `headers`: those of interest, names in lower case. `retry_after_s`: only when sane.
    """

    status: int
    body: Any = None
    text: str = ""
    headers: dict[str, str] = {}
    correlation_id: str = ""
    retry_after_s: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx; 207 still carries errors of single items."""
        return 200 <= self.status < 300


def clean(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """One line of at most `limit` characters, safe to store and to show."""
    line = _CONTROL.sub(" ", text[: limit * 4]).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def text_of(value: Any) -> str:
    """A string, or a number as one; anything else is ""."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**30 else ""
    return ""


def entries(body: Any, name: str) -> list[dict[str, Any]]:
    """The objects in a list field of an object."""
    found = body.get(name) if isinstance(body, dict) else None
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def context_values(error: dict[str, Any], *names: str) -> list[str]:
    """All texts under these names of an error's `context`, whose values are lists of texts."""
    context = error.get("context")
    if not isinstance(context, dict):
        return []
    out: list[str] = []
    for name in names:
        value = context.get(name)
        for entry in value if isinstance(value, list) else [value]:
            text = text_of(entry)
            if text:
                out.append(text)
    return out


def error_and_details(error: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """An error object, then its own `errors`, one level deep."""
    yield error
    yield from entries(error, "errors")


def message_of(answer: Answer) -> str:
    """HubSpot's own words, else what little there is."""
    if isinstance(answer.body, dict):
        said = text_of(answer.body.get("message"))
        if said:
            return clean(said)
    if answer.text:
        return clean(f"HTTP status {answer.status}: {answer.text}")
    return f"HTTP status {answer.status} with no message"


def limit_named(answer: Answer) -> str:
    """Which limit a 429 speaks of: the policy's name, else its message."""
    if not isinstance(answer.body, dict):
        return answer.text
    return text_of(answer.body.get("policyName")) or text_of(answer.body.get("message"))


def worked_s(body: Any) -> float:
    """How long HubSpot says that it worked on a batch; 0 when it does not say."""
    if not isinstance(body, dict):
        return 0.0
    try:
        began = datetime.fromisoformat(text_of(body.get("startedAt"))[:40])
        ended = datetime.fromisoformat(text_of(body.get("completedAt"))[:40])
        return max(0.0, (ended - began).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0
