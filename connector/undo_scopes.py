"""Which commands an undo is meant for: what a run, a plan, a replay or a time led to.

Read off the log alone, a page at a time.
"""

from __future__ import annotations

from typing import Final

import msgspec

from connector import paging
from connector.errors import Misconfigured
from connector.mappings import PLAN_STREAM
from connector.moments import iso
from connector.replaying import REPLAY_STREAM
from connector.rounds import orders, round_at
from eventstore import EventStore
from projections import events

_SHOWN: Final = 5  # of what may be named
_FOR_EVER: Final = 2**62


class Scope(msgspec.Struct, frozen=True):
    """Which commands: emitted in [first, last], or led to by an event in [cause_first, cause_last].

    `selection`: in words. `open_at`: also those emitted before and carried out after this position.
    `orders`: positions of what people ordered meanwhile: what these led to is not meant.
    """

    selection: str
    first: int = 0
    last: int = _FOR_EVER
    cause_first: int = 0
    cause_last: int = _FOR_EVER
    open_at: int = 0
    orders: frozenset[int] = frozenset()

    def takes(self, position: int, cause: int | None) -> bool:
        """Whether a command emitted at `position` for `cause` is meant."""
        return (
            self.first <= position <= self.last
            and self.cause_first <= (cause or 0) <= self.cause_last
            and cause not in self.orders
        )


async def of_round(store: EventStore, position: int | None) -> Scope:
    """What the round of polling at this position led to; None: the newest that led to anything."""
    found = await round_at(store, position)
    if found is None:
        raise Misconfigured(
            "the log has no such run", where="--run", remedy="'last', or a position of the log."
        )
    [commit] = await store.commits([found.first])
    began = iso(commit.recorded_at_us) if commit is not None else "?"
    text = f"the run of {began} (from position {found.first})"
    return Scope(
        text,
        first=found.first,
        cause_first=found.first,
        cause_last=found.last,
        orders=await orders(store, found.first),
    )


async def of_plan(store: EventStore, digest: str) -> Scope:
    """What a plan let go on."""
    applied = [
        (event, found.digest)
        for event in await store.history(PLAN_STREAM)
        if isinstance(found := events.decode(event.type, event.data), events.PlanApplied)
    ]
    wanted = digest.lower()
    stored = [event for event, one in applied if len(wanted) >= 8 and one.startswith(wanted)]
    if not stored:
        newest = [one[:12] for _, one in applied[-_SHOWN:]]
        raise Misconfigured(
            f"no plan {digest!r} was ever applied",
            where="--plan",
            remedy=_there_were(
                newest, "Applied were", "No plan ever was: undo by --run or --since"
            ),
        )
    [commit] = await store.commits([stored[-1].position])
    last = commit.last if commit is not None else stored[-1].position
    text = f"plan {digest[:12]}"
    return Scope(text, first=last + 1, cause_last=last, open_at=last)


async def of_replay(store: EventStore, position: int | None) -> Scope:
    """What a replay sent, by the position of its request; None: the newest."""
    stored = await store.history(REPLAY_STREAM)
    asked = stored[-1].position if position is None and stored else position or 0
    [commit] = await store.commits([asked])
    if commit is None or not any(event.position == asked for event in stored):
        newest = [f"{event.position}" for event in stored[-_SHOWN:]]
        raise Misconfigured(
            "the log has no such replay",
            where="--replay",
            remedy=_there_were(newest, "There were, by position", "None was ever asked for"),
        )
    text = f"the replay at position {commit.first}"
    return Scope(text, first=commit.first, cause_first=commit.first, cause_last=commit.last)


def _there_were(newest: list[str], some: str, none: str) -> str:
    """What may be named instead, the newest last."""
    return f"{some}: {', '.join(newest)}." if newest else f"{none}."


async def of_time(store: EventStore, since_us: int, until_us: int | None) -> Scope:
    """What was decided in a time."""
    first = await store.position_at(since_us - 1) + 1
    last = _FOR_EVER if until_us is None else await store.position_at(until_us)
    until = "" if until_us is None else f" until {iso(until_us)}"
    return Scope(f"since {iso(since_us)}{until}", first=first, last=last)


async def chosen(store: EventStore, scope: Scope) -> dict[str, set[int]]:
    """Target to the numbers of its chosen commands."""
    out: dict[str, set[int]] = {}
    after = max(0, scope.first - 1)
    async for page in paging.log(store, after, types=["CommandEmitted"], upto=scope.last):
        for event in page:
            if scope.takes(event.position, event.cause):
                out.setdefault(event.stream.removeprefix("hubspot/"), set()).add(event.version)
    if scope.open_at:
        await _open_at(store, scope.open_at, out)
    return out


async def _open_at(store: EventStore, position: int, out: dict[str, set[int]]) -> None:
    """Add the commands emitted at or before a position and carried out after it."""
    async for page in paging.log(store, position, types=["CommandSucceeded"]):
        done = [
            (event.stream, payload.command)
            for event in page
            if isinstance(payload := events.decode(event.type, event.data), events.CommandSucceeded)
        ]
        for (stream, command), emitted in zip(done, await store.locate(done), strict=True):
            if emitted is not None and emitted <= position:
                out.setdefault(stream.removeprefix("hubspot/"), set()).add(command)
