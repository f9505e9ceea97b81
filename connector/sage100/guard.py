"""What nobody foresaw while reading, kept to what was read.

An agent can be odd in ways that this program does not expect, and this program can be wrong. Then
one pass has failed, of one instance, and is tried again later: the log gets a PollFailed that says
where it was, our own log gets the traceback, and everybody else goes on. Only the store's own
errors end the service, for without the store there is nothing to go on with.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Final

from connector.sage100.errors import AgentError, Call, Unforeseen
from eventstore import EventStoreError

log: Final = logging.getLogger(__name__)

_OURS: Final = ("connector", "projections", "eventstore")


@contextlib.contextmanager
def guarded(call: Call) -> Iterator[None]:
    """Raises Unforeseen in place of whatever is neither an AgentError nor of the store."""
    try:
        yield
    except (AgentError, EventStoreError):
        raise
    except Exception as problem:
        log.exception("%s at %s: an error of this program", call.operation, call.endpoint)
        raise _unforeseen(call, problem) from problem


def _unforeseen(call: Call, problem: Exception) -> Unforeseen:
    """The error that the log is told of; it shows no data, for events cannot be taken back."""
    kind = type(problem).__name__
    return Unforeseen(
        f"Reading ended in an error of this program: {kind}{_place(problem)}.", call, code=kind
    )


def _place(problem: Exception) -> str:
    """The last line of ours that it came through."""
    found, trace = "", problem.__traceback__
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        if name.partition(".")[0] in _OURS and name != __name__:
            found = f" in {name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return found
