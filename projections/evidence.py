"""What the log says of Sage 100's side beside its open items: its own aging, and when it was read.

The aging that Sage 100 keeps on a customer is a cache: its aging report and the display of the
customer write it, postings do not, and DateLastAging says how old it is. So it is told beside the
open items, never held against them. And figures are as good as the last reading: a pass reads what
carries a new stamp; a sweep, or a pass that begins anew, reads everything.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from projections import aging, receivables, values
from projections import events as e
from projections.folding import Entry
from projections.source import record_of

TYPES: Final = ("RecordObserved", "RecordErased", "RecordVanished", "PollStarted", "PollCompleted")
RECEIVABLES: Final = "AR_Invoice"
_CUSTOMERS: Final = "AR_Customer"


class Aged(NamedTuple):
    """What Sage 100's own aging says a customer owes, where all of it can be read.

    `day`: YYYYMMDD of it, "" when untold.
    """

    owed: Decimal
    day: str


class Passes(NamedTuple):
    """Positions of the last complete pass over what changed, and of the last over everything; 0
    for never. `swept`: whether the latter was a sweep, or a pass that began anew: the first of all,
    or one after Sage 100 had gone back.
    """

    changes: int = 0
    everything: int = 0
    swept: bool = False


class Evidence:
    """A fold of the log, page by page, for the companies asked for."""

    def __init__(self, companies: frozenset[str]) -> None:
        self._aged: dict[str, dict[str, Aged]] = {code: {} for code in companies}
        self._passes: dict[str, Passes] = {code: Passes() for code in companies}
        self._reads_all: dict[str, bool] = {}

    def fold(self, entry: Entry) -> None:
        """One event of TYPES, in the order of the log."""
        match entry.payload:
            case e.RecordObserved() | e.RecordErased() | e.RecordVanished():
                self._record(entry)
            case e.PollStarted() as started:
                code = _company(entry.stream)
                if code in self._passes:
                    self._reads_all[code] = not started.since
            case e.PollCompleted() as done:
                code = _company(entry.stream)
                if code in self._passes:
                    self._passes[code] = self._after(self._passes[code], code, done, entry.position)
            case _:
                pass

    def _after(self, before: Passes, code: str, done: e.PollCompleted, position: int) -> Passes:
        if done.via == "sweep":
            return before._replace(everything=position, swept=True)
        if self._reads_all.get(code):
            return Passes(position, position)
        return before._replace(changes=position)

    def _record(self, entry: Entry) -> None:
        record = record_of(entry.stream)
        known = self._aged.get(record.company)
        if record.entity != _CUSTOMERS or known is None:
            return
        payload = entry.payload
        row = {} if not isinstance(payload, e.RecordObserved | e.RecordErased) else payload.row
        gone = isinstance(payload, e.RecordErased) and payload.vanished
        unread = any(values.is_garbage(row.get(column, "")) for column in aging.CACHED)
        if gone or unread or not any(column in row for column in aging.CACHED):
            known.pop(record.key, None)
            return
        owed = sum((values.amount(row.get(column, "")) for column in aging.CACHED), Decimal(0))
        known[record.key] = Aged(receivables.cents(owed), row.get("DateLastAging", ""))

    def aged(self, company: str) -> dict[str, Aged]:
        """By customer key, of those that show any of it."""
        return self._aged[company]

    def passes(self, company: str) -> Passes:
        """Over the receivables of a company."""
        return self._passes[company]


def _company(stream: str) -> str:
    """The company of a poll stream over receivables, "" of any other."""
    _, _, code, entity = stream.split("/", 3)
    return code if entity == RECEIVABLES else ""
