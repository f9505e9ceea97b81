"""Refused certificates in the log: once a day each, with the certificate and the remedy."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from connector.sage100.errors import TlsRefused
from connector.sage100.trust_log import TrustLog, trust_stream
from connector.sage100.trust_words import Problem
from connector.sandbox.agent.tls import TlsProfile
from eventstore import EventStore
from projections import events as e
from tests.sage100.shelf import logged
from tests.sage100.test_trust import FLAWS, client, listening
from tests.sage100.world import UTC_NOW, World, failures, rounds


async def refusals(store: EventStore) -> list[e.TrustRefused]:
    """Every TrustRefused."""
    return [one for one in await logged(store, e.TrustRefused) if isinstance(one, e.TrustRefused)]


@pytest.mark.parametrize(("profile", "problem", "words"), FLAWS)
async def test_a_refusal_is_one_event_beside_the_failed_passes(
    store: EventStore, world: World, profile: TlsProfile, problem: Problem, words: list[str]
) -> None:
    """Endpoint, WSDL, host, names, dates, issuer, fingerprint, remedy: all in one event."""
    async with listening(profile) as sim, client(sim) as agent:
        outcomes = await rounds(agent, store, world).run_once()
        served = sim.tls.served
    assert not any(one.completed for one in outcomes)
    (event,) = await refusals(store)
    assert event.instance == "acme"
    assert event.endpoint == sim.endpoint
    assert event.wsdl == f"{sim.endpoint}?wsdl"
    assert event.host == "localhost"
    assert event.problem == problem
    assert event.fingerprint == served.fingerprint
    assert event.subject == served.certificate.subject.rfc4514_string()
    assert event.issuer == served.certificate.issuer.rfc4514_string()
    assert event.not_after == f"{served.certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"
    assert event.not_before == f"{served.certificate.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}"
    assert [word for word in words if word not in event.message + event.remedy] == []
    failed = await failures(store)
    assert {one.category for one in failed} == {"tls"}
    assert {one.message for one in failed} == {event.message}
    assert {one.remedy for one in failed} == {event.remedy}
    assert {one.code for one in failed} == {problem}
    streams = await store.streams("audit/trust/")
    assert streams == [trust_stream("acme")]


async def test_the_same_refusal_is_told_once_a_day(store: EventStore) -> None:
    """Not each round, not after a restart; again after a day, and at once when it is another."""
    now = UTC_NOW
    async with listening("expired") as sim:
        log = TrustLog(store, "acme")

        async def tell(log: TrustLog) -> int:
            async with client(sim, ca_bundle=sim.tls.ca_bundle, now=lambda: now) as agent:
                with pytest.raises(TlsRefused) as caught:
                    await agent.get_info()
            news = await log.news([caught.value, caught.value])
            await store.append(news)
            return len(news)

        assert await tell(log) == 1
        now += timedelta(hours=1)
        assert await tell(log) == 0
        assert await tell(TrustLog(store, "acme")) == 0
        await asyncio.to_thread(sim.tls.use, "wrong-host")
        assert await tell(log) == 1
        await asyncio.to_thread(sim.tls.use, "expired")  # another certificate, as expired
        assert await tell(log) == 1
        now += timedelta(days=1)
        assert await tell(log) == 1
        now -= timedelta(days=3)
        assert await tell(log) == 1
    assert len(await refusals(store)) == 5


async def test_a_renewed_certificate_heals_at_the_next_round(
    store: EventStore, world: World
) -> None:
    """Nothing has to be restarted: the round after the renewal reads everything."""
    async with listening("expired") as sim, client(sim) as agent:
        reading = rounds(agent, store, world)
        first = await reading.run_once()
        assert not any(one.completed for one in first)
        assert reading.refusal is None
        await asyncio.to_thread(sim.tls.use, "good")
        second = await reading.run_once()
        assert all(one.completed for one in second)
        assert sim.tls.application_bytes > 0
    assert [one.problem for one in await refusals(store)] == ["expired"]


async def test_a_round_says_it_once(
    store: EventStore, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The whole story stands in the service's own log once a round, not once an entity."""
    async with listening("expired") as sim, client(sim) as agent:
        reading = rounds(agent, store, world)
        for _ in range(2):
            await reading.run_once()
            fingerprint = sim.tls.served.fingerprint
            told = [one for one in caplog.messages if fingerprint in one]
            assert len(told) == 1
            assert [one for one in caplog.messages if "same reason" in one]
            caplog.clear()
