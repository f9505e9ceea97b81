"""The mass-change breaker's effect: which companies are frozen, and which targets that concerns.

Freezing stops decisions, not folding: what Sage 100 shows stays in the log and in the rows, but no
command is emitted for any target of a frozen company until a person releases it. Targets that
become dirty meanwhile stay on the work list and are decided on, once each, after the release.
"""

from __future__ import annotations

import msgspec

from projections import events as e
from projections import keys
from projections.folding import Folding
from projections.tables import FORCED, LANES, ORDINARY, Frozen

replace = msgspec.structs.replace


def company_of_pass(stream: str) -> str:
    """`poll/acme/ABC/AR_Customer` -> `ABC`."""
    return stream.split("/", 3)[2]


def group_of(name: str) -> tuple[str, str]:
    """(company code, what the names of all targets of this kind and company begin with).

    `companies/ABC:01-ABF` -> ("ABC", "companies/ABC:"), `associations/contacts:ABC:K>…` ->
    ("ABC", "associations/contacts:ABC:").
    """
    kind, _, rest = name.partition("/")
    child = ""
    if kind == "associations":
        child, _, rest = rest.partition(":")
        child += ":"
    code = rest.partition(":")[0]
    return code, f"{kind}/{child}{code}:"


def end_of(group: str) -> str:
    """A text behind every name that begins with `group`, and before any other name."""
    return group[:-1] + chr(ord(group[-1]) + 1)


def work_list_groups(company: str) -> list[str]:
    """What the rows of the `dirty` table that concern this company begin with."""
    kinds = [lane for lane in LANES if lane != "associations"]
    groups = [f"{kind}/{company}:" for kind in kinds]
    groups += [f"associations/{child}:{company}:" for child in keys.PARTS]
    return [mark + group for mark in (ORDINARY, FORCED) for group in groups]


def fold_held(stream: str, position: int, held: e.MassChangeHeld, into: Folding) -> None:
    """Freeze the company. One frozen already keeps its beginning, and the figures of the entity
    that was first: the ones that others refer to are read first and say the most.
    """
    company = company_of_pass(stream)
    before = into.work.get("frozen", Frozen, company)
    if before is not None and before.entity != held.entity:
        since = min(before.since, held.since)
        into.work.put("frozen", company, replace(before, latest=position, since=since))
        return
    into.work.put(
        "frozen",
        company,
        Frozen(
            position=before.position if before else position,
            latest=position,
            since=min(before.since, held.since) if before else held.since,
            via=held.via,
            instance=stream.split("/", 2)[1],
            entity=held.entity,
            known=held.known,
            new=held.new,
            absent=held.absent,
            share=held.share,
            suspicion=held.suspicion,
        ),
    )


def fold_released(released: e.MassChangeReleased, into: Folding) -> None:
    """Let the company go on, unless it was held once more after what the person had seen."""
    frozen = into.work.get("frozen", Frozen, released.company)
    if frozen is not None and frozen.latest <= released.held:
        into.work.remove("frozen", released.company)
