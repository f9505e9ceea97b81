"""One trace from a poll to what it leads to: what a commit keeps, and how it is taken up again."""

from __future__ import annotations

from datetime import timedelta

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from connector.sage100.poller import poll
from connector.tracing import context_from, link_to, traceparent
from eventstore import EventStore
from tests.sage100.shelf import Shelf, whole_log

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_there_is_no_traceparent_outside_a_span() -> None:
    """Without a span there is nothing to keep."""
    assert traceparent() is None


def test_a_traceparent_leads_back_to_its_span() -> None:
    """The text kept in a commit continues the same trace under the same parent."""
    provider = TracerProvider()
    with provider.get_tracer("test").start_as_current_span("one") as span:
        kept = traceparent()
    assert kept is not None
    found = trace.get_current_span(context_from(kept)).get_span_context()
    own = span.get_span_context()
    assert (found.trace_id, found.span_id) == (own.trace_id, own.span_id)
    provider.shutdown()


def test_nonsense_and_nothing_lead_nowhere() -> None:
    """A commit without a trace, or with a damaged one, starts a new trace."""
    for kept in (None, "", "garbage", "00-00000000000000000000000000000000-0000000000000000-00"):
        context = trace.get_current_span(context_from(kept)).get_span_context()
        assert not context.is_valid


def test_links_are_made_once_for_each_span() -> None:
    """Many events of one page link to its span once; what is no traceparent is left out."""
    other = PARENT.replace("b7ad", "b7ae")
    links = link_to([PARENT, None, PARENT, "garbage", other])
    assert [f"{link.context.span_id:016x}" for link in links] == [
        "b7ad6b7169203331",
        "b7ae6b7169203331",
    ]


async def test_every_append_of_a_pass_keeps_the_trace(store: EventStore) -> None:
    """All commits of a pass belong to the trace in which it ran."""
    provider = TracerProvider()
    shelf = Shelf()
    shelf.fill(7)
    with provider.get_tracer("test").start_as_current_span("round") as span:
        await poll(shelf.reading(store), overlap=timedelta(days=1), server_time=shelf.time)
    commits = await store.commits([event.position for event in await whole_log(store)])
    kept = [commit.meta.traceparent or "" for commit in commits if commit is not None]
    assert len(kept) == 9
    assert {one.split("-")[1] for one in kept} == {f"{span.get_span_context().trace_id:032x}"}
    provider.shutdown()
