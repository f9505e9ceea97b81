"""Group commit: many callers' appends become one durable transaction.

Appends queue up; one task takes what has arrived while the last transaction ran, commits it as
one, and tells each caller its own success or failure. There is no timer: a lone append goes at
once, a crowd shares one write to disk. The queue is bounded: callers wait when the disk is slow.

A caller cancelled before its append is taken leaves no trace; cancelled later, its append is
carried out all the same, whole. No other caller notices either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from .errors import EventStoreError, StoreClosed
from .types import Checkpoint, Commit, Meta, NewEvent, Write

GROUP_EVENTS = 1_000
QUEUE_APPENDS = 1_000


class Append:
    """One caller's append, on its way to the log, and the future that will hold its outcome."""

    __slots__ = (
        *("also", "checkpoint", "events", "expect", "expect_head", "meanwhile", "meta"),
        *("outcome", "salts"),
    )

    def __init__(
        self,
        events: Sequence[NewEvent],
        salts: Sequence[bytes],
        *,
        expect: Mapping[str, int] | None = None,
        expect_head: int | None = None,
        checkpoint: Checkpoint | None = None,
        also: Sequence[Write] = (),
        meta: Meta,
        meanwhile: Callable[[], object] | None = None,
    ) -> None:
        """`meanwhile` is called on the writing thread, before it waits for the disk."""
        self.events = events
        self.salts = salts
        self.expect = expect
        self.expect_head = expect_head
        self.checkpoint = checkpoint
        self.also = also
        self.meta = meta
        self.meanwhile = meanwhile
        self.outcome: asyncio.Future[Commit] | None = None


Outcome = Commit | EventStoreError
CommitGroup = Callable[[list[Append]], Awaitable[list[Outcome]]]


class Appender:
    """The queue before the log and the task that empties it. `commit` never fails as a whole."""

    def __init__(self, commit: CommitGroup, committed: Callable[[list[Outcome]], None]) -> None:
        self._commit = commit
        self._committed = committed
        self._queue: asyncio.Queue[Append | None] = asyncio.Queue(QUEUE_APPENDS)
        self._closed = False
        self._task = asyncio.create_task(self._run(), name="eventstore appender")

    async def append(self, append: Append) -> Commit:
        """Queue it and wait for its outcome. Raises what made it fail, or StoreClosed."""
        if self._closed:
            raise StoreClosed
        append.outcome = asyncio.get_running_loop().create_future()
        await self._queue.put(append)
        if self._task.done():  # it ended while this caller waited for room
            raise StoreClosed
        return await append.outcome

    async def aclose(self) -> None:
        """Refuse new appends, carry out those queued, end. Call once."""
        self._closed = True
        if not self._task.done():
            await self._queue.put(None)
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            closing = False
            while not closing:
                group, closing = await self._next_group()
                await self._carry_out(group)
        finally:
            self._closed = True
            while not self._queue.empty():
                left = self._queue.get_nowait()
                if left is not None:
                    _settle(left, StoreClosed())

    async def _next_group(self) -> tuple[list[Append], bool]:
        """What has arrived, up to about GROUP_EVENTS events; True when it is the last."""
        queue = self._queue
        group: list[Append] = []
        size = 0
        item = await queue.get()
        while item is not None:
            group.append(item)
            size += len(item.events) + 1
            if size >= GROUP_EVENTS or queue.empty():
                return group, False
            item = queue.get_nowait()
        while not queue.empty():  # appends that had waited for room when the store was closed
            late = queue.get_nowait()
            if late is not None:
                group.append(late)
        return group, True

    async def _carry_out(self, group: list[Append]) -> None:
        group = [append for append in group if append.outcome and not append.outcome.done()]
        if not group:
            return
        outcomes: list[Outcome]
        try:
            outcomes = await self._commit(group)
        except asyncio.CancelledError:
            for append in group:
                _settle(append, StoreClosed("the store was cancelled; the outcome is not known"))
            raise
        except EventStoreError as error:
            outcomes = [error] * len(group)
        except Exception as error:  # noqa: BLE001 - a bug must reach the callers, not hang them
            outcomes = [EventStoreError(f"the append failed ({error!r})")] * len(group)
        self._committed(outcomes)
        for append, outcome in zip(group, outcomes, strict=True):
            _settle(append, outcome)


def _settle(append: Append, outcome: Outcome) -> None:
    future = append.outcome
    if future is None or future.done():  # its caller was cancelled
        return
    if isinstance(outcome, EventStoreError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
