"""A refused log-on outlives the process: one attempt in all, until a person or a correction."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from connector.sage100 import refusals
from connector.sage100.agent import Agent
from connector.sage100.auth import Credentials, Scheme
from connector.sage100.auth_certificate import ClientCertificate
from connector.sage100.checks import check_agent
from connector.sage100.contract import ENTITIES
from connector.sage100.errors import AgentUnreachable, Call, LogonRefused
from connector.sage100.passes import Outcome
from connector.sage100.refusals import Refusals
from connector.sandbox.agent import HttpAnswer, SimulatedAgent, SoapFault
from connector.secret import Secret
from eventstore import EventStore, Unavailable
from projections import events as e
from tests.sage100.logons import iis, logging_on
from tests.sage100.shelf import logged, whole_log
from tests.sage100.test_logon_certificate import shown, with_certificate
from tests.sage100.world import World, failures, instance, rounds

NAMES: dict[Scheme, str] = {"negotiate": "Negotiate", "ntlm": "NTLM", "basic": "Basic"}
every = pytest.mark.parametrize("scheme", list(NAMES))


@contextlib.asynccontextmanager
async def started(
    sim: SimulatedAgent, store: EventStore, world: World, scheme: Scheme = "basic", **told: Any
) -> AsyncIterator[list[Outcome]]:
    """A connector that was started just now makes one round and ends."""
    async with logging_on(sim, scheme, **told) as agent:
        yield await rounds(agent, store, world).run_once()


async def start(*arguments: Any, **told: Any) -> list[Outcome]:
    """The same, when nothing else is of interest."""
    async with started(*arguments, **told) as outcomes:
        return outcomes


async def release(store: EventStore, by: str = "eve") -> list[str]:
    """A person has seen to the account."""
    kept = await refusals.find(store, "acme")
    assert kept is not None
    return await refusals.release(store, e.LogonReleased("acme", kept.at, kept.code, by))


@every
async def test_four_starts_make_one_attempt(
    scheme: Scheme, store: EventStore, world: World
) -> None:
    """No start after the first says a word to the agent, and each says why and what to do."""
    async with iis(lock_after=2) as sim:
        for number in range(4):
            outcomes = await start(sim, store, world, scheme, password="wrong")
            assert all(one.stopped for one in outcomes), number
            if number == 0:
                asked = sim.calls.requests
        assert sim.calls.requests == asked
        assert sim.calls.wrong_logons == {NAMES[scheme]: 1}
        assert not sim.account.locked
    told = await failures(store)
    assert len(told) == 4 * len(ENTITIES)
    assert {(one.category, one.code, one.stopped) for one in told} == {("logon", "401", True)}
    assert all("Correct [sage100.auth], then restart" in one.remedy for one in told)
    assert all("unlock the account" in one.remedy for one in told)
    assert all("'ml-connector release acme'" in one.remedy for one in told)
    assert told[-1].message.endswith(
        ". That was at 2026-11-22T15:15:02.000000Z; nothing was sent since."
    )


@every
async def test_a_release_allows_one_attempt_more(
    scheme: Scheme, store: EventStore, world: World
) -> None:
    """The account was unlocked: it is tried once, and that refusal is remembered as the first."""
    async with iis() as sim:
        for _ in range(2):
            await start(sim, store, world, scheme, password="wrong")
        world.now += timedelta(hours=1)
        assert await release(store)
        for _ in range(3):
            await start(sim, store, world, scheme, password="wrong")
        assert sim.calls.wrong_logons == {NAMES[scheme]: 2}
        assert await release(store)
        sim.account.change_password("wrong")
        outcomes = await start(sim, store, world, scheme, password="wrong")
        assert all(one.completed for one in outcomes)
    released = await logged(store, e.LogonReleased)
    assert [one.by for one in released if isinstance(one, e.LogonReleased)] == ["eve", "eve"]
    events = [one for one in await whole_log(store) if one.type == "LogonReleased"]
    assert {one.stream for one in events} == {"audit/logon/acme"}


@every
async def test_a_corrected_password_works_at_once(
    scheme: Scheme, store: EventStore, world: World
) -> None:
    """What is configured otherwise is tried without anybody's leave, and the refusal is gone."""
    async with iis(lock_after=3) as sim:
        await start(sim, store, world, scheme, password="wrong")
        await start(sim, store, world, scheme, password="wrong")
        outcomes = await start(sim, store, world, scheme)
        assert all(one.completed for one in outcomes)
        assert await refusals.find(store, "acme") is None
        await start(sim, store, world, scheme, password="wrong")
        assert sim.calls.wrong_logons == {NAMES[scheme]: 2}, "another refusal, and another time"


@pytest.mark.parametrize(
    "corrected",
    [{"username": "ACME\\other"}, {"api_key": "another"}, {"scheme": "ntlm"}],
    ids=lambda one: next(iter(one)),
)
async def test_all_that_is_said_of_us_counts(
    store: EventStore, world: World, corrected: dict[str, Any]
) -> None:
    """Another scheme, user or key is another log-on: it is tried."""
    async with iis() as sim:
        await start(sim, store, world, password="wrong")
        asked = sim.calls.requests
        await start(sim, store, world, **{"password": "wrong", **corrected})
        assert sim.calls.requests > asked


async def test_a_renewed_client_certificate_counts(
    store: EventStore, world: World, tmp_path: Path
) -> None:
    """A certificate is what its file holds: the same one says the same, a new one another thing."""
    async with iis(tls="good", client_certificates="required") as sim:
        sim.inject(SoapFault(code="LogonFailed", operation="GetInfo", times=99))
        first = await asyncio.to_thread(sim.tls.authority.client, "us")
        second = await asyncio.to_thread(sim.tls.authority.client, "us")
        for issued, asked in ((first, 1), (first, 1), (second, 2), (second, 2)):
            certificate = shown(issued, tmp_path)
            async with with_certificate(sim, certificate, "basic") as agent:
                outcomes = await rounds(agent, store, world).run_once()
            assert all(one.stopped for one in outcomes)
            assert sim.calls.operations == {"GetInfo": asked}


async def test_a_certificate_that_is_gone_forgets_no_refusal(
    store: EventStore, world: World, tmp_path: Path
) -> None:
    """It was read before anything was said, so the refusal is kept and told from others' as any."""
    async with iis(tls="good", client_certificates="required") as sim:
        sim.inject(SoapFault(code="LogonFailed", operation="GetInfo", times=99))
        certificate = shown(await asyncio.to_thread(sim.tls.authority.client, "us"), tmp_path)
        content = certificate.certificate.read_text("ascii")
        async with with_certificate(sim, certificate, "basic") as agent:
            certificate.certificate.unlink()
            running = rounds(agent, store, world)
            for _ in range(3):
                assert all(one.stopped for one in await running.run_once())
        certificate.certificate.write_text(content, "ascii")
        async with with_certificate(sim, certificate, "basic") as agent:
            assert all(one.stopped for one in await rounds(agent, store, world).run_once())
        assert sim.calls.operations == {"GetInfo": 1}
        kept = await refusals.find(store, "acme")
        assert kept is not None
        assert kept.digest


async def test_a_refusal_that_cannot_be_compared_stands(store: EventStore, tmp_path: Path) -> None:
    """Where what was said is not known any more, only a release lets it be said again."""
    said = Credentials(
        username="us",
        password=Secret("p"),
        certificate=ClientCertificate(tmp_path / "gone.pem", Secret("k")),
    )
    call = Call("https://sage.acme.local/x", "GetInfo", instance="acme")
    for _ in range(2):
        known = Refusals(call.endpoint, said)
        await known.open()
        known.keep_in(store, "acme")
        if await known.standing(call) is None:
            await known.note(LogonRefused("no", call, code="401"))
        for _ in range(2):
            assert "no" in str(await known.standing(call))
    kept = await refusals.find(store, "acme")
    assert kept is not None
    assert not kept.digest
    assert await release(store) == ["acme"]
    assert await known.standing(call) is None


async def test_a_refusal_that_could_not_be_kept_stands_and_is_kept_later(
    store: EventStore,
) -> None:
    """A store that failed just then is no reason to ask again."""
    call = Call("https://sage.acme.local/x", "GetInfo", instance="acme")
    known = Refusals(call.endpoint, Credentials(username="us", password=Secret("p")))
    await known.open()
    full = Full(store)
    known.keep_in(cast(EventStore, full), "acme")
    with pytest.raises(Unavailable):
        await known.note(LogonRefused("no", call, code="401"))
    assert await refusals.find(store, "acme") is None
    with pytest.raises(Unavailable):
        await known.standing(call)
    full.is_full = False
    assert await known.standing(call) is not None
    assert await refusals.find(store, "acme") is not None
    assert await release(store) == ["acme"]
    assert await known.standing(call) is None


class Full:
    """A store on a disk that is full, until it is not."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self.is_full = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, *arguments: Any, **told: Any) -> Any:
        """Refused while it is full."""
        if self.is_full:
            raise Unavailable("no space left on the disk")
        return await self._store.append(*arguments, **told)


async def test_the_service_goes_on_when_it_is_released(
    sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """It stands still, asking nothing, until then; nobody has to restart it."""
    sim.inject(SoapFault(code="LogonFailed", operation="GetInfo", times=1))
    said = Credentials(
        username=sim.username, password=Secret(sim.password), api_key=Secret(sim.api_key)
    )
    stop = asyncio.Event()
    async with Agent(sim.endpoint, credentials=said) as agent:
        running = rounds(agent, store, world)
        looks = 0

        async def stand(stop: asyncio.Event, seconds: float) -> None:
            nonlocal looks
            looks += 1
            if looks <= 3:
                assert sim.calls.requests == 1
                if looks == 3:
                    assert await release(store)
                return
            stop.set()

        running._idle = stand
        async with asyncio.timeout(30):
            await running.run(stop)
    assert len(await logged(store, e.PollCompleted)) == len(ENTITIES)


async def test_a_service_that_starts_refused_says_so_and_asks_nothing(
    store: EventStore, world: World
) -> None:
    """Also when nothing is due for hours: the operator who restarted it reads why it stands."""
    async with iis() as sim:
        assert all(one.completed for one in await start(sim, store, world))
        sim.account.change_password("another")
        await start(sim, store, world)
        asked, told = sim.calls.requests, len(await failures(store))
        async with logging_on(sim, "basic") as agent:
            world.until = world.now + timedelta(seconds=20)
            running = rounds(agent, store, world, customers="1d", invoices="1d", vendors="1d")
            async with asyncio.timeout(30):
                await running.run(asyncio.Event())
        assert sim.calls.requests == asked
        assert len(await failures(store)) == told + len(ENTITIES)


async def test_a_release_names_what_it_releases(store: EventStore, world: World) -> None:
    """One that was given for an earlier refusal lets a later one stand, and leaves no event."""
    async with iis() as sim:
        await start(sim, store, world, password="wrong")
        kept = await refusals.find(store, "acme")
        assert kept is not None
        old = e.LogonReleased("acme", kept.at, kept.code, "eve")
        world.now += timedelta(hours=1)
        await start(sim, store, world, password="wrong again")
        assert not await refusals.release(store, old)
        assert not await logged(store, e.LogonReleased)
        assert all(one.stopped for one in await start(sim, store, world, password="wrong again"))
        assert sim.calls.requests == 2


async def test_a_person_who_checks_is_heard(store: EventStore, world: World) -> None:
    """`check` asks the agent whatever is remembered, and remembers nothing itself."""
    async with iis() as sim:
        await start(sim, store, world, password="wrong")
        async with logging_on(sim, "basic", password="wrong") as agent:
            lines = await check_agent(agent, instance(agent.endpoint))
            wrong = [line.subject for line in lines if line.tried and not line.ok]
            assert wrong == ["Sage 100 acme Windows log-on"]
        async with logging_on(sim, "basic") as agent:
            lines = await check_agent(agent, instance(agent.endpoint))
            assert [line.subject for line in lines if not line.ok] == ["Sage 100 acme clock"]
        assert sim.calls.wrong_logons == {"Basic": 2}
        assert await refusals.find(store, "acme") is not None


async def test_what_passes_by_itself_is_not_remembered(store: EventStore, world: World) -> None:
    """Only a refusal stands: a gateway's error and a lost connection are tried again."""
    async with iis() as sim:
        sim.inject(HttpAnswer(status=502, times=99))
        outcomes = await start(sim, store, world)
        assert not any(one.stopped for one in outcomes)
        assert await refusals.find(store, "acme") is None
    outcomes = await start(sim, store, world)  # nobody listens any more
    assert {type(one.error) for one in outcomes} == {AgentUnreachable}
    assert await refusals.find(store, "acme") is None


async def test_the_digest_is_slow_salted_and_nowhere_but_in_its_table(
    store: EventStore, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made beside the loop, differs for the same password, and no event shows it or it."""
    threads: list[str] = []
    scrypt = hashlib.scrypt

    def noted(*arguments: Any, **more: Any) -> bytes:
        threads.append(threading.current_thread().name)
        return scrypt(*arguments, **more)

    monkeypatch.setattr(hashlib, "scrypt", noted)
    digests = set()
    async with iis() as sim:
        for _ in range(2):
            await start(sim, store, world, password="Wr0ng-h0rse")
            kept = await refusals.find(store, "acme")
            assert kept is not None
            digests.add(kept.digest)
            world.now += timedelta(hours=1)
            assert await release(store)
    assert len(digests) == 2
    assert threads
    assert threading.main_thread().name not in threads
    for event in await whole_log(store):
        for secret in (b"Wr0ng-h0rse", *(one.hex().encode() for one in digests)):
            assert secret not in (event.data or b"")
