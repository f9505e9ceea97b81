"""A traced sync in a process of its own (a tracer provider is for the life of a process).

    python -m tests.e2e.traced FOLDER

Syncs a small Sage 100, changes one customer and posts one invoice there, syncs again, and prints
every span of that second pass and every commit that it made, as one JSON document.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from connector.sandbox.agent import AgentOptions, maintenance, posting
from eventstore import EventStore
from tests.e2e.site import open_site

Place = tuple[str, str]  # trace id and span id, in hexadecimal


class Span(msgspec.Struct, frozen=True):
    """One span: `origins` are its parent, if any, and what it links to."""

    name: str
    place: Place
    origins: list[Place]


class Event(msgspec.Struct, frozen=True):
    """One event of the log, and the span in which it was appended."""

    stream: str
    type: str
    place: Place | None


class Story(msgspec.Struct, frozen=True):
    """The second pass."""

    spans: list[Span]
    events: list[Event]
    invoice: str


def _place(context: trace.SpanContext) -> Place:
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def _span(span: ReadableSpan) -> Span:
    parents = [span.parent] if span.parent is not None else []
    linked = [link.context for link in span.links]
    assert span.context is not None
    return Span(span.name, _place(span.context), [_place(one) for one in (*parents, *linked)])


async def _events(store: EventStore, after: int) -> list[Event]:
    out: list[Event] = []
    while page := await store.read(after, limit=1_000):
        commits = await store.commits([one.position for one in page])
        for one, commit in zip(page, commits, strict=True):
            parent = commit.meta.traceparent if commit is not None else None
            _, trace_id, span_id, _ = (parent or "---").split("-")
            out.append(Event(one.stream, one.type, (trace_id, span_id) if parent else None))
        after = page[-1].position
    return out


async def tell(folder: Path) -> Story:
    """Sync, change, sync, and tell of the second time."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    options = AgentOptions(seed=61, customers=20, invoices=80, vendors=2)
    async with open_site(folder, options) as site, site.app() as app:
        await app.run_once()
        exporter.clear()
        head = (await app.store.head()).last
        buyer = ("01", "ABF")
        maintenance.change_customer(site.company, buyer, {"CustomerName": "Traced Inc."})
        number = posting.post_invoice(site.company, buyer, "10.00")
        await app.run_once()
        spans = [_span(one) for one in exporter.get_finished_spans()]
        return Story(spans, await _events(app.store, head), f"ABC:01-ABF:{'-'.join(number[2:])}")


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(tell(Path(sys.argv[1])))))
