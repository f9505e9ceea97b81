"""The writer beside the projector: whoever is late looks again, and one trace joins them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from connector import tracing
from connector.hubspot import delivery, links, objects
from connector.sandbox.hubspot import Omit
from eventstore import Commit, EventStore, NewEvent
from projections import events

from .rig import Site

ACME = "companies/ABC:01-ACME"
JOE = "contacts/ABC:01-ACME:JOE"
KEY = "sage100_customer_key"


class Meddling:
    """A store in which something happens just before the first append of a certain event."""

    def __init__(self, store: EventStore, before: str, meddle: Any) -> None:
        self._store = store
        self._before = before
        self._meddle = meddle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(
        self, new: Sequence[NewEvent], *, expect: Mapping[str, int] | None = None, **options: Any
    ) -> Commit:
        """Meddle once, then append."""
        if self._meddle is not None and any(one.type == self._before for one in new):
            meddle, self._meddle = self._meddle, None
            await meddle()
        return await self._store.append(new, expect=expect, **options)


async def test_a_command_superseded_while_it_was_looked_up_is_not_sent(site: Site) -> None:
    """The attempt is appended only if the target still stands where it was decided."""
    await site.emit(ACME, name="Old")

    async def meddle() -> None:
        await site.emit(ACME, name="New", phone="1")

    store = Meddling(site.store, "CommandSent", meddle)
    await site.writer(store=store).run_until_idle()  # type: ignore[arg-type]
    shown = site.portal.one("companies", KEY, "ABC:01-ACME")
    assert (shown["name"], shown["phone"]) == ("New", "1")
    assert site.portal.calls.count(route="objects.batch.upsert") == 1
    assert await site.books_close()


async def test_a_parent_that_arrives_while_the_child_is_held_is_not_missed(site: Site) -> None:
    """Holding is refused when the parent moved meanwhile: the child is looked at again."""
    await site.emit(JOE, firstname="Joe")

    async def meddle() -> None:
        await site.emit(ACME, name="Acme")
        await site.writer().run_until_idle()  # a writer of its own, as if on another machine

    store = Meddling(site.store, "CommandHeld", meddle)
    await site.writer(store=store).run_until_idle()  # type: ignore[arg-type]
    assert "CommandHeld" not in await site.types(JOE)
    assert (await site.types(JOE))[-1] == "CommandSucceeded"
    assert await site.books_close()


async def test_an_outcome_is_recorded_although_its_target_moved(site: Site) -> None:
    """An adoption between attempt and outcome costs another append, never the outcome."""
    await site.emit(ACME, name="Acme")

    async def meddle() -> None:
        await site.adopt(ACME, "777")

    store = Meddling(site.store, "CommandSucceeded", meddle)
    await site.writer(store=store).run_until_idle()  # type: ignore[arg-type]
    assert (await site.types(ACME))[-2:] == ["RecordAdopted", "CommandSucceeded"]
    assert (await site.target(ACME)).state == "idle"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Spans recorded in memory instead of nowhere."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    for module in (tracing, objects, links):
        monkeypatch.setattr(module, "tracer", tracer)
    return exporter


async def test_one_trace_joins_the_decision_and_the_write(
    site: Site, spans: InMemorySpanExporter
) -> None:
    """The commit of the outcome carries the trace of the commit that emitted the command."""
    with tracing.tracer.start_as_current_span("decide"):
        await site.emit(ACME, name="Acme")
    await site.writer().run_until_idle()
    stored = await site.store.history(f"hubspot/{ACME}")
    commits = await site.store.commits([event.position for event in stored])
    traces = {commit.meta.traceparent.split("-")[1] for commit in commits if commit}  # type: ignore[union-attr]
    assert len(traces) == 1
    names = [span.name for span in spans.get_finished_spans()]
    assert "write" in names


def test_full_jitter_stays_below_its_ceiling() -> None:
    """The wait is anything up to 1, 2, 4 … and never over five minutes."""
    for failures, ceiling in [(1, 1.0), (2, 2.0), (3, 4.0), (8, 128.0), (50, 300.0)]:
        waits = [delivery.full_jitter_s(failures) for _ in range(50)]
        assert max(waits) <= ceiling
        assert len(set(waits)) > 1


async def test_a_failure_is_tried_again_when_its_time_has_come(site: Site) -> None:
    """`retry_at_us` is the rank of the outbox row: the run waits for it and then goes on."""
    await site.emit(ACME, name="Acme")
    site.portal.inject(Omit(inputs=(0,), applied=False), route="objects.batch.upsert")
    summary = await site.writer(delay_s=lambda failures: 0.05 * failures).run_until_idle()
    assert summary.lanes["companies"].succeeded == 1
    failed = (await site.stream(ACME))[2]
    assert isinstance(failed, events.CommandFailed)
    assert failed.retry_at_us > 0
    assert (await site.target(ACME)).retry_at_us == 0
