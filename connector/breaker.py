"""Companies whose decisions wait for a person: which, why, and letting them go on.

The pollers hold a company when far too many of its records come or go at once, and the projector
then decides nothing of it (`projections.breaker`). Here is what a person needs: what is held and
what to do, and the release, which is an event like any other.
"""

from __future__ import annotations

from typing import Final

import msgspec

from connector.moments import iso
from connector.new_events import in_the_name_of, new_event
from eventstore import EventStore
from projections import breaker, events
from projections.tables import Frozen
from projections.workspace import decode

RELEASE_STREAM: Final = "audit/release"
_MOST_COMPANIES: Final = 10_000


class HeldCompany(msgspec.Struct, frozen=True):
    """A frozen company. `since`: when (ISO 8601, UTC); `waiting`: targets to be decided on;
    `position` of the newest MassChangeHeld, which a release names.
    """

    company: str
    instance: str
    entity: str
    since: str
    why: str
    what_to_do: str
    waiting: int
    position: int


class ReleaseReport(msgspec.Struct, frozen=True):
    """What a release lets go on; `requested` is False for a dry run or when nothing is held.

    `by`: who goes on; "" for nobody.
    """

    company: str
    held: HeldCompany | None
    requested: bool
    by: str = ""


async def held(store: EventStore) -> list[HeldCompany]:
    """Every frozen company."""
    found = await store.scan("frozen", limit=_MOST_COMPANIES)
    docs: list[tuple[str, Frozen]] = [(row.key, decode("frozen", row.value)) for row in found]
    commits = await store.commits([doc.position for _, doc in docs])
    out = []
    for (company, doc), commit in zip(docs, commits, strict=True):
        waiting = 0
        for group in breaker.work_list_groups(company):
            waiting += await store.count("dirty", prefix=group)
        out.append(
            HeldCompany(
                company=company,
                instance=doc.instance,
                entity=doc.entity,
                since=iso(commit.recorded_at_us) if commit is not None else "",
                why=_why(doc),
                what_to_do=f"Look at Sage 100. If this is so, 'ml-connector release {company}' "
                "sends what has changed; if not, correct it there or in the agent, let a sweep "
                "read it again ('run --once --sweep'), and release then: nothing is written.",
                waiting=waiting,
                position=doc.latest,
            )
        )
    return out


def _why(doc: Frozen) -> str:
    counts = [f"{doc.new:,} appeared"] if doc.new else []
    counts += [f"{doc.absent:,} are absent"] if doc.absent else []
    via = "sweep" if doc.via == "sweep" else "pass"
    return (
        f"{doc.entity}: of {doc.known:,} records {' and '.join(counts)} in one {via} "
        f"({doc.share} %): {doc.suspicion}"
    )


async def find(store: EventStore, company: str) -> HeldCompany | None:
    """The frozen company with this code, None when it is not held."""
    return next((one for one in await held(store) if one.company == company), None)


async def release(store: EventStore, request: events.MassChangeReleased) -> bool:
    """Append the release; False, and nothing, when this hold is over already."""
    current = await find(store, request.company)
    if current is None or current.position > request.held:
        return False
    await store.append([new_event(RELEASE_STREAM, request)], meta=in_the_name_of(request.by))
    return True
