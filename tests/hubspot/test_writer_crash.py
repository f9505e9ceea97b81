"""The writer dies anywhere and the next one goes on: one record, no duplicate, no lost command."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from connector.progress import Silent
from connector.sandbox.hubspot import Hold, faults
from eventstore import Commit, EventStore, NewEvent
from projections import events, keys

from .rig import Site

ACME = "companies/ABC:01-ACME"
JOE = "contacts/ABC:01-ACME:JOE"
LINK = keys.association(JOE, ACME)
KEY = "sage100_customer_key"
LIMIT_S = 20


class Killed(Exception):
    """The process is gone."""


class Dying:
    """A store that kills its user at the n-th append: before it is durable, or just after."""

    def __init__(self, store: EventStore, at: int, *, after: bool) -> None:
        self._store = store
        self._at = at
        self._after = after
        self.appends = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, new: Sequence[NewEvent], **options: Any) -> Commit:
        """Append, or die."""
        self.appends += 1
        if self.appends == self._at and not self._after:
            raise Killed
        commit = await self._store.append(new, **options)
        if self.appends == self._at:
            raise Killed
        return commit


async def everything_is_there_once(site: Site) -> None:
    """One company, one contact, one association, and books that close."""
    assert site.portal.count("companies") == 1
    assert site.portal.count("contacts") == 1
    assert len(site.portal.associations("contacts", "companies")) == 1
    for name in (ACME, JOE, LINK):
        doc = await site.target(name)
        assert doc.state == "idle"
        assert doc.hubspot_id
    assert await site.books_close()


async def commands(site: Site) -> None:
    """A company, its contact, and their association."""
    await site.emit(ACME, name="Acme")
    await site.emit(JOE, firstname="Joe")
    await site.emit(LINK, linked="true")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 7))
async def test_killed_at_any_append_the_next_writer_finishes(
    site: Site, at: int, after: bool
) -> None:
    """Three commands make six appends; death at any of them loses and doubles nothing."""
    await commands(site)
    dying = Dying(site.store, at, after=after)
    with pytest.raises(Killed):
        await site.writer(store=dying).run_until_idle()  # type: ignore[arg-type]
    assert dying.appends == at
    await site.writer().run_until_idle()
    await everything_is_there_once(site)


@pytest.mark.parametrize("route", ["objects.batch.read", "objects.batch.upsert", "associations"])
@pytest.mark.parametrize("applied", [False, True], ids=["not-done", "done"])
async def test_cancelled_in_the_middle_of_a_call_the_next_writer_reads_first(
    site: Site, route: str, applied: bool
) -> None:
    """A call that was under way may have been carried out: it is read, not repeated blindly."""
    await commands(site)
    held = site.portal.inject(Hold(applied=applied), route=route)
    running = asyncio.create_task(site.writer().run_until_idle())
    await asyncio.wait_for(held.reached.wait(), LIMIT_S)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    held.release()
    await site.writer().run_until_idle()
    await everything_is_there_once(site)


async def test_an_interrupted_attempt_is_named_in_the_log(site: Site) -> None:
    """What a crash hid is recorded as of unknown outcome before anything else is done."""
    await site.emit(ACME, name="Acme")
    dying = Dying(site.store, 2, after=False)
    with pytest.raises(Killed):
        await site.writer(store=dying).run_until_idle()  # type: ignore[arg-type]
    assert await site.store.count("inflight") == 1
    await site.writer().run_until_idle()
    failed = (await site.stream(ACME))[2]
    assert isinstance(failed, events.CommandFailed)
    assert (failed.category, failed.unknown) == ("interrupted", True)
    done = (await site.stream(ACME))[3]
    assert isinstance(done, events.CommandSucceeded)
    assert done.outcome == "found"


async def test_a_cancellation_while_recording_waits_for_the_record(site: Site) -> None:
    """Between HubSpot's answer and the log there is no cancelling."""
    await site.emit(ACME, name="Acme")
    gate = asyncio.Event()
    reached = asyncio.Event()

    class Slow(Dying):
        async def append(self, new: Sequence[NewEvent], **options: Any) -> Commit:
            if any(one.type == "CommandSucceeded" for one in new):
                reached.set()
                await gate.wait()
            return await super().append(new, **options)

    slow = Slow(site.store, 0, after=False)
    running = asyncio.create_task(site.writer(store=slow).run_until_idle())  # type: ignore[arg-type]
    await asyncio.wait_for(reached.wait(), LIMIT_S)
    running.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await site.types(ACME))[-1] == "CommandSucceeded"
    assert await site.store.count("inflight") == 0


async def test_the_service_writes_what_comes_and_drains_when_told_to(site: Site) -> None:
    """`run` picks up new commands, and on `stop` lets the batch under way end."""
    stop = asyncio.Event()
    held = site.portal.inject(Hold(), route="objects.batch.upsert")

    class Watch(Silent):
        def write(self, object: str, done: int, pending: int) -> None:  # noqa: A002
            seen.append((object, done, pending))

    seen: list[tuple[str, int, int]] = []
    running = asyncio.create_task(site.writer().run(stop, Watch()))
    await site.emit(ACME, name="Acme")
    await asyncio.wait_for(held.reached.wait(), LIMIT_S)
    stop.set()
    await asyncio.sleep(0)
    held.release()
    await asyncio.wait_for(running, LIMIT_S)
    assert (await site.types(ACME))[-1] == "CommandSucceeded"
    assert seen == [("companies", 1, 0)]


async def test_draining_ends_in_time(site: Site) -> None:
    """A call that never ends does not keep the service from stopping."""
    stop = asyncio.Event()
    held = site.portal.inject(Hold(), route="objects.batch.upsert")
    running = asyncio.create_task(site.writer(drain_s=0.0).run(stop))
    await site.emit(ACME, name="Acme")
    await asyncio.wait_for(held.reached.wait(), LIMIT_S)
    stop.set()
    await asyncio.wait_for(running, LIMIT_S)
    assert await site.store.count("inflight") == 1
    held.release()
    await site.writer().run_until_idle()
    assert site.portal.count("companies") == 1


async def test_the_service_survives_a_refused_token_and_writes_nothing(site: Site) -> None:
    """After a 401 the service stays up, says why it writes nothing, and keeps every command."""
    stop = asyncio.Event()
    refused = site.portal.inject(faults.error(401, "revoked"), times=None)
    await site.emit(ACME, name="Acme")
    writer = site.writer()
    running = asyncio.create_task(writer.run(stop))
    await asyncio.wait_for(refused.reached.wait(), LIMIT_S)
    async with asyncio.timeout(LIMIT_S):
        while writer.stopped is None:  # noqa: ASYNC110 - waits for the very next turn of the loop
            await asyncio.sleep(0)
    assert "revoked" in str(writer.stopped)
    stop.set()
    await asyncio.wait_for(running, LIMIT_S)
    assert refused.hits == 1
    assert await site.store.count("outbox_companies") == 1
