"""One trace from a poll to the HubSpot write it leads to, across the log.

A commit keeps the W3C `traceparent` of the span that made it; whoever acts on its events later
continues that trace or links to it. Every commit has one, whether or not there is a collector to
send spans to: `history` tells which steps belong together. Only OpenTelemetry's API is used here.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from eventstore.types import EventStore

tracer: Final = trace.get_tracer("ml-connector")

_MAX_LINKS: Final = 16

_W3C: Final = TraceContextTextMapPropagator()


def traceparent() -> str | None:
    """The current span as a W3C traceparent; None outside any recorded span."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get("traceparent")


def of_its_own() -> str:
    """The current span as a W3C traceparent; outside any span that of a trace that begins here."""
    return traceparent() or f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def context_from(parent: str | None) -> Context:
    """The context in which new spans continue that trace; an empty one for None or nonsense."""
    return _W3C.extract({"traceparent": parent} if parent else {}, context=Context())


def link_to(parents: Iterable[str | None]) -> list[trace.Link]:
    """Links to these spans, once each and in their order; what is no traceparent is left out."""
    links: dict[tuple[int, int], trace.Link] = {}
    for parent in parents:
        found = trace.get_current_span(context_from(parent)).get_span_context()
        if found.is_valid:
            links.setdefault((found.trace_id, found.span_id), trace.Link(found))
    return list(links.values())


async def origin(
    store: EventStore, positions: Iterable[int | None]
) -> tuple[Context, list[trace.Link]]:
    """The trace to continue, and the others to link to, of the commits at these positions."""
    known = sorted({position for position in positions if position})[:_MAX_LINKS]
    commits = await store.commits(known)
    parents = [commit.meta.traceparent for commit in commits if commit is not None]
    found = [parent for parent in dict.fromkeys(parents) if parent]
    return context_from(found[0] if found else None), link_to(found[1:])
