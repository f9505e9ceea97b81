"""What carrying out commands of any kind has in common: hold, exchange, settle, record.

A batch whose attempts are in the log is exchanged with HubSpot request by request; each answer is
settled and recorded before the next request leaves, so a crash forgets at most one request's
outcomes, and those are found out by reading.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import backoff
import msgspec

from connector import rows
from connector.hubspot import journal
from connector.hubspot.answer import Answer
from connector.hubspot.api import HubSpot
from connector.hubspot.culprit import parted
from connector.hubspot.definitions import Definitions
from connector.hubspot.errors import NoAnswer
from connector.hubspot.journal import Entry, OutcomeEntry
from connector.hubspot.matching import Matching
from connector.hubspot.narrowing import Request, following
from connector.hubspot.outcomes import Attempt, count, event_of
from connector.hubspot.passage import BLOCKED, Passage, is_blocked
from connector.hubspot.settle import (
    Outcome,
    Settlement,
    Undone,
    not_tried,
    settle_unanswered,
)
from connector.hubspot.tally import LaneTally, tallies
from eventstore import EventStore, WrongVersion
from projections import events, keys, ledger
from projections.mapping.rules import Mapping as PropertyMapping
from projections.tables import Target
from projections.workspace import Workspace

_RESENDS: Final = 4  # of a request that HubSpot said it did not carry out, within one attempt
_LOCKED_S: Final = 2.0  # how long HubSpot locks a record
_LONGEST_BACKOFF_S: Final = 300.0


def now_us() -> int:
    """Microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def full_jitter_s(failures: int) -> float:
    """Seconds to wait after so many failures: anything up to 1, 2, 4 … 300."""
    ceiling = backoff.expo(base=2, factor=1, max_value=_LONGEST_BACKOFF_S)
    next(ceiling)  # the generator yields nothing first
    value = 0.0
    for _ in range(max(1, min(failures, 20))):
        value = next(ceiling)
    return float(backoff.full_jitter(value))


class Surroundings(msgspec.Struct):
    """What deliveries need of the world; time, chance and waiting are parameters.

    `definitions`: to check values by before they are sent; None: HubSpot is left to refuse them.
    `matching`: how records without our key are recognised; None: not at all.
    """

    store: EventStore
    hubspot: HubSpot
    mapping: Callable[[], PropertyMapping]
    now_us: Callable[[], int] = now_us
    delay_s: Callable[[int], float] = full_jitter_s
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    new_id: Callable[[], str] = lambda: uuid.uuid4().hex[:16]
    tallies: dict[str, LaneTally] = msgspec.field(default_factory=tallies)
    definitions: Definitions | None = None
    matching: Matching | None = None
    passage: Passage = msgspec.field(default_factory=Passage)


def _all_in_one(keys: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(keys)]


class Delivery:
    """The steps that objects and associations share."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around

    def count(self, entries: Sequence[Entry | OutcomeEntry]) -> None:
        """Add what was appended to the tallies."""
        for entry in entries:
            count(entry.event, self.around.tallies[keys.split_target(entry.name)[0]])

    async def hold_orphans(self, names: Sequence[str]) -> set[str]:
        """Hold the commands whose parents HubSpot does not have yet; all such targets.

        Appended only if no parent moved meanwhile: one that has just arrived must not be missed.
        """
        work = Workspace()
        parents = {name: keys.parents(name) for name in names}
        wanted = {*names, *(parent for group in parents.values() for parent in group)}
        await rows.load(self.around.store, work, {"target": wanted})
        orphans: dict[str, list[str]] = {}
        for name, group in parents.items():
            missing = [
                parent
                for parent in group
                if not ledger.exists_in_hubspot(work.get("target", Target, parent))
            ]
            if missing and journal.target_of(work, name).state == "pending":
                orphans[name] = missing
        if not orphans:
            return set()
        docs = {name: journal.target_of(work, name) for name in orphans}
        unmoved = {
            keys.hubspot_stream(parent): journal.target_of(work, parent).version
            for missing in orphans.values()
            for parent in missing
        }
        causes = await journal.emitted(self.around.store, docs)
        entries = [
            Entry(name, events.CommandHeld(docs[name].command, missing), causes[name])
            for name, missing in orphans.items()
        ]
        try:
            await journal.append(self.around.store, work, entries, unmoved=unmoved)
        except WrongVersion:
            return set(orphans)  # somebody moved: they are looked at again on the next turn
        self.count(entries)
        return set(orphans)

    async def park_unsent(self, names: Sequence[str], reason: Settlement) -> None:
        """Park pending commands that HubSpot would refuse like those it has just refused."""
        work = Workspace()
        await rows.load(self.around.store, work, {"target": names})
        docs = {name: journal.target_of(work, name) for name in names}
        docs = {name: doc for name, doc in docs.items() if doc.state == "pending"}
        if not docs or reason.why is None:
            return
        causes = await journal.emitted(self.around.store, docs)
        why = reason.why
        entries = [
            Entry(
                name,
                events.CommandParked(doc.command, why.reason, why.message, why.advice, why.status),
                causes[name],
            )
            for name, doc in docs.items()
        ]
        try:
            await journal.append(self.around.store, work, entries)
        except WrongVersion:
            return
        self.count(entries)

    async def exchange(
        self,
        batch: str,
        attempts: Mapping[str, Attempt],
        call: Callable[[Sequence[str]], Awaitable[Answer]],
        settle: Callable[[Sequence[str], Answer], Awaitable[Settlement]],
        *,
        kind: str,
        groups: Callable[[Sequence[str]], list[tuple[str, ...]]] = _all_in_one,
    ) -> Settlement:
        """Send attempts (by key) and record every outcome; the last settlement, for its verdict.

        `kind`: of what is written (see `scopes`). `groups`: what may travel in one request. What is
        to be sent once more, changed, goes together at the end.
        """
        requests = deque(Request(keys) for keys in groups(list(attempts)))
        later: list[str] = []
        settled = Settlement()
        while requests or later:
            if not requests:
                requests.extend(Request(keys) for keys in groups(later))
                later = []
            request = requests.popleft()
            asked = request.keys
            status, correlation_id = 0, ""
            try:
                answer = await self.answered(lambda asked=asked: call(asked))  # type: ignore[misc]
                status, correlation_id = answer.status, answer.correlation_id
                settled = await settle(asked, answer)
                names = [attempts[key].name for key in asked]
                settled = self._weighed(names, asked, answer, settled, kind)
            except NoAnswer as problem:
                settled = settle_unanswered(asked, problem)
            outcomes = settled.outcomes
            if settled.verdict:
                waiting = [key for one in (request, *requests) for key in one.rest]
                waiting += [key for one in requests for key in one.keys]
                waiting += [key for keys in settled.again for key in keys]
                outcomes += not_tried([*waiting, *settled.resend, *later], settled)
                requests.clear()
                later.clear()
            else:
                requests.extend(following(request, settled))
                later.extend(settled.resend)
            said = (status, correlation_id)
            await self._record(batch, said, attempts, outcomes, settled.after_s)
        return settled

    def _weighed(
        self,
        names: Sequence[str],
        asked: Sequence[str],
        answer: Answer,
        settled: Settlement,
        kind: str,
    ) -> Settlement:
        """The settlement, with whose answer it was: HubSpot's, or that of something on the way."""
        if not is_blocked(answer):
            if settled.verdict:
                return msgspec.structs.replace(settled, heard=True)
            self.around.passage.got_through(names)
            return msgspec.structs.replace(settled, heard=True, wrote=(kind,))
        if not self.around.passage.turned_back(names):
            return settled
        if len(asked) > 1:
            first, second = parted(asked)
            return Settlement(again=(tuple(first), tuple(second)), sought=True)
        blamed = [
            msgspec.structs.replace(one, blamed=True)
            for one in settled.outcomes
            if isinstance(one, Undone)
        ]
        return Settlement(tuple(blamed))

    async def turned_back(self, names: Sequence[str], trouble: Settlement) -> Settlement:
        """The settlement when not even a look at these got through to HubSpot.

        It counts as an attempt, so that who is to blame goes alone one day, and is parked.
        """
        evident = self.around.passage.turned_back(names)
        blamed = evident and len(names) == 1
        why = trouble.why
        message, status = ("", 0) if why is None else (why.message, why.status)
        work = Workspace()
        await rows.load(self.around.store, work, {"target": names})
        docs = {name: journal.target_of(work, name) for name in names}
        docs = {name: doc for name, doc in docs.items() if doc.state == "pending"}
        causes = await journal.emitted(self.around.store, docs)
        entries = []
        for name, doc in docs.items():
            attempt = Attempt(name, name, doc.command, doc.attempt + 1, causes[name] or 0)
            outcome = Undone(name, BLOCKED, message, status, blamed=blamed)
            event = event_of(
                outcome,
                attempt,
                batch="",
                correlation_id="",
                retry_at_us=self._retry_at_us(attempt),
            )
            entries.append(Entry(name, event, causes[name]))
        try:
            await journal.append(self.around.store, work, entries)
        except WrongVersion:
            return trouble  # somebody moved: they are looked at again on the next turn
        self.count(entries)
        return Settlement() if evident else trouble

    def _retry_at_us(self, attempt: Attempt, after_s: float | None = None) -> int:
        delay_s = self.around.delay_s(attempt.attempt) if after_s is None else after_s
        return self.around.now_us() + int(delay_s * 1_000_000)

    async def answered(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Call; when HubSpot says it did nothing yet (429, 423), wait as told and call again."""
        answer = await call()
        for _ in range(_RESENDS - 1):
            if answer.status == 423:
                await self.around.sleep(answer.retry_after_s or _LOCKED_S)
            elif answer.status != 429:  # after a 429 the limiter lets nobody through for a while
                break
            answer = await call()
        return answer

    async def _record(
        self,
        batch: str,
        said: tuple[int, str],
        attempts: Mapping[str, Attempt],
        outcomes: Sequence[Outcome],
        after_s: float | None,
    ) -> None:
        status, correlation_id = said
        entries = []
        for outcome in outcomes:
            attempt = attempts[outcome.key]
            event = event_of(
                outcome,
                attempt,
                batch=batch,
                correlation_id=correlation_id,
                retry_at_us=self._retry_at_us(attempt, after_s),
                status=status,
            )
            entries.append(OutcomeEntry(attempt.name, attempt.command, event, attempt.sent))
        await journal.record(self.around.store, entries)
        self.count(entries)
