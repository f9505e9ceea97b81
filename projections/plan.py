"""What is going to happen in HubSpot, as a plan that can be read, named by a digest, and compared.

Pure: takes the targets whose command is open, one after the other in a fixed order, and sums them
up. The digest is SHA-256 over one canonical JSON line per target, behind a line with the position
of the log and the digest of the mapping: two plans of one digest are the same changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from projections import keys
from projections.mapping import rules
from projections.tables import Target
from projections.unwritable import is_read_only
from projections.validation import refusal

SAMPLES: Final = 3  # of each property
REFUSALS: Final = 100  # shown; all are counted
BATCH: Final = 100  # inputs of an object batch
LINKS: Final = 2_000  # pairs of an association batch
BODY_BYTES: Final = 1_000_000  # of a request
READ_ONLY: Final = "HubSpot lets nobody write this property"
_INPUT_BYTES: Final = 400  # key, names and trace id around the values of one input

Act = Literal["create", "update", "link", "unlink"]

_line: Final = msgspec.json.Encoder(order="sorted").encode


class Change(msgspec.Struct, frozen=True):
    """One target that will be written: property to (before, after).

    `stays`: why nobody will try it as it stands (its reason when parked), "" when it is sent.
    """

    target: str
    act: Act
    fields: dict[str, tuple[str | None, str]]
    stays: str = ""


class Sample(msgspec.Struct, frozen=True):
    """One value before and after."""

    target: str
    before: str | None
    after: str


class FieldPlan(msgspec.Struct, frozen=True):
    """One property of one object: how many records change in it, and some of them."""

    object: str
    property: str
    count: int
    samples: list[Sample]


class ObjectPlan(msgspec.Struct, frozen=True):
    """How many records of one object are created, updated, linked, parted, or stay parked."""

    object: str
    create: int = 0
    update: int = 0
    link: int = 0
    parked: int = 0
    unlink: int = 0


class WouldRefuse(msgspec.Struct, frozen=True):
    """A change that HubSpot refuses, as far as one can know.

    `why`: the record is `parked` as it stands; the same value was refused in another record
    (`known`), or is none by the mapping's own definition (`invalid`).
    """

    target: str
    why: Literal["parked", "known", "invalid"]
    message: str


# (object, property, value) to the reason for which HubSpot would not take that value.
Known = Mapping[tuple[str, str, str], str]


class Plan(msgspec.Struct, frozen=True):
    """All of it. `position`: of the log; `mapping`: digest of the mapping it is made with.

    `new_mapping`: that mapping is not in force yet. `calls`: general and association calls;
    `minutes`: the least they take under the limits. `refused`: all would-be rejections counted,
    of which `refusals` shows some.
    """

    digest: str
    position: int
    mapping: str
    new_mapping: bool
    records: int
    objects: list[ObjectPlan]
    fields: list[FieldPlan]
    refused: int
    refusals: list[WouldRefuse]
    calls: int
    minutes: float

    @property
    def empty(self) -> bool:
        """Whether nothing would be sent."""
        return not self.records


def change_of(name: str, doc: Target) -> Change:
    """The open command of a target as a change."""
    fields = {
        prop: (doc.held.get(prop), doc.changes[prop])
        for prop in sorted(doc.changes)
        if prop != "linked" or not name.startswith("associations/")
    }
    act: Act = "update" if doc.hubspot_id else "create"
    if name.startswith("associations/"):
        act = "unlink" if doc.changes.get("linked") == "" else "link"
    return Change(name, act, fields, doc.reason if doc.state == "parked" else "")


class Planning:
    """A plan in the making."""

    def __init__(
        self,
        mapping: rules.Mapping,
        digest: str,
        position: int,
        *,
        new_mapping: bool,
        known: Known,
    ) -> None:
        """`known`: values that HubSpot has refused in records of today."""
        self._known = known
        self._types = {kind: one.hubspot_type for kind, one in mapping.objects().items()}
        self._defines = {
            kind: {rule.property: rule.define for rule in section.rules}
            for kind, section in mapping.objects().items()
        }
        self._mapping = digest
        self._position = position
        self._new = new_mapping
        self._hash = hashlib.sha256(_line([position, digest]) + b"\n")
        self._objects: dict[str, dict[str, int]] = {}
        self._fields: dict[tuple[str, str], int] = {}
        self._samples: dict[tuple[str, str], list[Sample]] = {}
        self._refused = 0
        self._refusals: list[WouldRefuse] = []
        self._reads: dict[str, int] = {}
        self._inputs: dict[str, int] = {}
        self._bytes: dict[str, int] = {}
        self._records = 0

    def add(self, name: str, doc: Target) -> Change:
        """Take in one target whose command is open; in the order in which the digest takes them."""
        change = change_of(name, doc)
        fields = [[prop, before, after] for prop, (before, after) in change.fields.items()]
        line = [name, change.act, change.stays, fields, sorted(doc.fill)]
        self._hash.update(_line(line) + b"\n")
        kind = keys.split_target(name)[0]
        counts = self._objects.setdefault(kind, {})
        if change.stays:
            counts["parked"] = counts.get("parked", 0) + 1
            self._refuse(WouldRefuse(name, "parked", change.stays))
            return change
        counts[change.act] = counts.get(change.act, 0) + 1
        self._records += 1
        for prop, (before, after) in change.fields.items():
            self._count_field(kind, prop, Sample(name, before, after))
        self._count_call(name, kind, doc)
        return change

    def _count_field(self, kind: str, prop: str, sample: Sample) -> None:
        place = kind, prop
        self._fields[place] = self._fields.get(place, 0) + 1
        samples = self._samples.setdefault(place, [])
        if len(samples) < SAMPLES:
            samples.append(sample)
        before = self._known.get((kind, prop, sample.after))
        define = self._defines.get(kind, {}).get(prop)
        read_only = define is None and is_read_only(self._types.get(kind, ""), prop)
        why = before or (READ_ONLY if read_only else refusal(define, sample.after))
        if why:
            shown = sample.after if len(sample.after) <= 40 else f"{sample.after[:40]}…"
            cause: Literal["known", "invalid"] = "known" if before else "invalid"
            self._refuse(WouldRefuse(sample.target, cause, f"{prop} = {shown!r}: {why}"))

    def _refuse(self, one: WouldRefuse) -> None:
        self._refused += 1
        if len(self._refusals) < REFUSALS:
            self._refusals.append(one)

    def _count_call(self, name: str, kind: str, doc: Target) -> None:
        group = kind
        if kind == "associations":
            left, right = keys.parents(name)
            group = f"{kind}/{keys.split_target(left)[0]}>{keys.split_target(right)[0]}"
        elif not doc.hubspot_id or doc.unknown or doc.fill or doc.expected:
            self._reads[kind] = self._reads.get(kind, 0) + 1  # looked for before it is written
        self._inputs[group] = self._inputs.get(group, 0) + 1
        size = sum(len(prop) + len(value) + 6 for prop, value in doc.changes.items())
        self._bytes[group] = self._bytes.get(group, 0) + size + _INPUT_BYTES

    def _calls(self) -> tuple[int, int]:
        """General calls and association calls."""
        general = sum(_ceil(count, BATCH) for count in self._reads.values())
        links = 0
        for group, count in self._inputs.items():
            if group.startswith("associations/"):
                links += _ceil(count, LINKS)
            else:
                general += max(_ceil(count, BATCH), _ceil(self._bytes[group], BODY_BYTES))
        return general, links

    def finish(self, per_minute: Mapping[str, float]) -> Plan:
        """The plan. `per_minute`: calls that each gate (general, associations) lets through."""
        general, links = self._calls()
        minutes = general / per_minute["general"] + links / per_minute["associations"]
        return Plan(
            digest=self._hash.hexdigest(),
            position=self._position,
            mapping=self._mapping,
            new_mapping=self._new,
            records=self._records,
            objects=[ObjectPlan(kind, **counts) for kind, counts in self._objects.items()],
            fields=_fields(self._fields.items(), self._samples),
            refused=self._refused,
            refusals=self._refusals,
            calls=general + links,
            minutes=round(minutes, 2),
        )


def _fields(
    counts: Iterable[tuple[tuple[str, str], int]],
    samples: Mapping[tuple[str, str], list[Sample]],
) -> list[FieldPlan]:
    return [
        FieldPlan(kind, prop, count, samples[kind, prop]) for (kind, prop), count in sorted(counts)
    ]


def _ceil(count: int, size: int) -> int:
    return -(-count // size)
