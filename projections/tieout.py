"""Why HubSpot does not show what Sage 100 says is owed: each difference with its one reason.

The log knows what is under way, refused, waiting or put back on purpose, so a difference that has
such a reason is explained, to the cent: carried out, the open command would set exactly our value.
What has none is unexplained, whatever it adds up to: two that cancel out are two.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, Literal

import msgspec

from projections import keys, values
from projections.receivables import cents
from projections.tables import Account, Fanout, Target

Reason = Literal[
    "pending",
    "parked",
    "held",
    "vanished",
    "withheld field",
    "pinned",
    "unreadable",
    "unexplained",
]
_ZERO: Final = Decimal(0)
Between = Literal["Sage 100 and ours", "ours and the ledger", "the ledger and HubSpot"]


class Difference(msgspec.Struct, frozen=True):
    """One amount that two sides show differently; `difference`: right less left."""

    record: str
    measure: str
    between: Between
    left: Decimal
    right: Decimal
    difference: Decimal
    reason: Reason
    detail: str = ""


class Line(msgspec.Struct, frozen=True):
    """One measure of a company on all sides. `difference`: HubSpot's less Sage 100's, of which
    `explained` has reasons. `unexplained` adds up what has none, each without its sign.
    """

    measure: str
    sage: Decimal
    ours: Decimal
    hubspot: Decimal
    difference: Decimal
    explained: Decimal
    unexplained: Decimal


class Circumstances(msgspec.Struct, frozen=True):
    """What may explain the differences of one record.

    `held`: its company waits for a person. `undecided`: it is on the work list, or on the way
    there. `unprojected`: rows behind the projector's place touch it. `account`: its customer.
    `unread`: open items of it whose balance is no number, and what that holds. `half_read`: what
    adds up all invoices of its company waits for the first pass over them.
    """

    doc: Target | None
    account: Account | None
    held: bool = False
    undecided: bool = False
    unprojected: bool = False
    unread: tuple[tuple[str, str], ...] = ()
    half_read: bool = False


def amount_of(value: str) -> Decimal:
    """An amount as HubSpot or the ledger has it; nothing where there is no number."""
    return cents(values.amount(value))


def is_spread(fanouts: Sequence[Fanout], name: str) -> bool:
    """Whether a change is on its way to this target over the rows of a table."""
    kind, key = keys.split_target(name)
    walked = {"companies": {"accounts", "open_items"}, "invoices": {"bills", "open_items"}}
    return any(
        fanout.kind in walked.get(kind, set()) and key.startswith(fanout.prefix)
        for fanout in fanouts
    )


def why_not_ours(around: Circumstances) -> tuple[Reason, str]:
    """Why our read model is not what the source rows say."""
    if around.unprojected:
        return "pending", "read from Sage 100 and not projected yet"
    return "unexplained", "'ml-connector rebuild --verify' compares all read models with the log"


def why_not_written(ours: Decimal, prop: str, around: Circumstances) -> tuple[Reason, str]:
    """Why the ledger has not our value of this property ("" when no rule of the mapping has it)."""
    doc = around.doc
    if not prop:
        return "withheld field", "no rule of the mapping writes it"
    if around.held:
        return "held", "the company's decisions wait for a person: see 'ml-connector status'"
    if around.half_read:
        return (
            "pending",
            "the company's invoices have not been read to their end for the first time",
        )
    if around.unread:
        return unreadable(around.unread)
    if doc is None or (not doc.version and not doc.hubspot_id):
        return _why_unknown(around)
    if doc.skipped and not doc.hubspot_id:
        gone = doc.skipped.startswith("gone")
        return ("vanished" if gone else "pinned" if doc.pins else "withheld field"), doc.skipped
    open_value = doc.changes.get(prop)
    would = open_value is not None and amount_of(open_value) == ours
    left_out = doc.withheld.get(prop)
    pin = doc.pins.get(prop)
    if would and doc.state in {"pending", "sent"}:
        tries = f", after {doc.attempt} tries" if doc.attempt else ""
        return "pending", f"command {doc.command} is {doc.state}{tries}"
    if would and doc.state == "parked":
        return "parked", f"command {doc.command}: {doc.reason}"
    if would and doc.state == "held":
        return "held", f"command {doc.command} waits for {', '.join(doc.waiting_for)}"
    if left_out is not None and amount_of(left_out.value) == ours:
        return "withheld field", f"HubSpot would not take it: {left_out.reason}"
    if pin is not None and amount_of(pin.ours) == ours:
        return "pinned", "an undo put it back, until Sage 100 gives another value"
    if around.undecided or around.unprojected:
        return "pending", "to be decided on"
    if doc.lost:
        return "pending", f"HubSpot's record {doc.lost} is gone and is created anew"
    account = around.account
    if account is not None and account.vanished:
        return "vanished", "the customer is gone from Sage 100; HubSpot's record stays as it was"
    if doc.state in {"parked", "held"}:
        return "unexplained", f"command {doc.command} is {doc.state} and would set another value"
    return "unexplained", "'ml-connector replay --key' sends it again"


def unreadable(items: Sequence[tuple[str, str]]) -> tuple[Reason, str]:
    """That these open items (invoice key, what their balance holds) cannot be added up."""
    told = "; ".join(f"the balance of {key} is {cell!r}, no number" for key, cell in items[:3])
    more = f", and of {len(items) - 3} more" if len(items) > 3 else ""
    return "unreadable", f"{told}{more}: HubSpot keeps what was told last"


def _why_unknown(around: Circumstances) -> tuple[Reason, str]:
    account = around.account
    if around.undecided or around.unprojected:
        return "pending", "to be decided on"
    if account is None or account.row is None:
        return "pending", "its customer has not been read from Sage 100"
    if account.vanished:
        return "vanished", "the customer is gone from Sage 100"
    return "unexplained", "no command was ever made for it"


def why_not_there(around: Circumstances, found: bool) -> tuple[Reason, str]:
    """Why HubSpot does not show what the ledger says it holds."""
    doc = around.doc
    if doc is not None:
        if doc.state == "sent" or doc.doubt:
            return "pending", f"command {doc.command} is on its way: its outcome is not known"
        if doc.unkeyed or doc.lost:
            return "pending", "the record does not carry our key yet"
    if not found:
        return "unexplained", "HubSpot has no record with this key: the next write makes it anew"
    return "unexplained", "changed in HubSpot: 'ml-connector replay --key' puts it right"


class Tally:
    """Sums by measure, and the differences found."""

    def __init__(self) -> None:
        self._sums: dict[str, list[Decimal]] = {}
        self.differences: list[Difference] = []

    def add(self, measure: str, *sides: Decimal) -> None:
        """One record's amounts: Sage 100's, ours, HubSpot's."""
        sums = self._sums.setdefault(measure, [_ZERO, _ZERO, _ZERO])
        for index, amount in enumerate(sides):
            sums[index] += amount

    def differ(
        self,
        record: str,
        measure: str,
        between: Between,
        left: Decimal,
        right: Decimal,
        why: tuple[Reason, str],
    ) -> None:
        """One difference, with its reason and detail."""
        self.differences.append(
            Difference(record, measure, between, left, right, right - left, *why)
        )

    def line(self, measure: str) -> Line:
        """The sums of one measure."""
        return _line(measure, self._sums.get(measure, [_ZERO, _ZERO, _ZERO]), self.differences)


def seen_moving(
    lines: Sequence[Line], differences: Sequence[Difference], before: Sequence[Difference]
) -> tuple[list[Line], list[Difference]]:
    """The same when the sides moved while they were taken, and had moved since the take `before`.

    Each side was read at a moment of its own, so a difference that only one take shows is a record
    on its way from one side to the next: unexplained is what both show.
    """
    stood = set(before)
    again = [
        one
        if one.reason != "unexplained" or one in stood
        else msgspec.structs.replace(one, reason="pending", detail="it moved while it was read")
        for one in differences
    ]
    return [
        _line(line.measure, [line.sage, line.ours, line.hubspot], again) for line in lines
    ], again


def _line(measure: str, sides: Sequence[Decimal], differences: Sequence[Difference]) -> Line:
    sage, ours, hubspot = sides
    explained = unexplained = _ZERO
    for one in differences:
        if one.measure != measure:
            continue
        if one.reason == "unexplained":
            unexplained += abs(one.difference)
        else:
            explained += one.difference
    zero = cents(_ZERO)
    return Line(
        measure=measure,
        sage=sage + zero,
        ours=ours + zero,
        hubspot=hubspot + zero,
        difference=hubspot - sage + zero,
        explained=explained + zero,
        unexplained=unexplained + zero,
    )
