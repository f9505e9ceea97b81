"""The mass-change breaker: when far too many records come or go in one pass, a person decides.

A company code that suddenly answers with another company's records, a restored backup, a
renumbering utility: each looks like thousands of honest changes, one by one. What gives them away
is the share of keys that are new, or absent for the first time, in one pass over an entity. The
rows still go into the log, they are what Sage 100 showed; the event stops the decisions
(`projections.breaker`).

A first load is no mass change, nor is anything in an entity of few records, except that a sweep
shows none of them any more: then a share tells nothing, and one record more or less is no mistake
that an agent makes with two.
"""

from __future__ import annotations

from typing import Final

from connector.sage100.place import Pass
from connector.sage100.stamps import earlier
from projections.events import MassChangeHeld, SourceRewound, Via

LEAST_KNOWN: Final = 50
LEAST_MOVED: Final = 25
LEAST_EMPTIED: Final = 2
# A new fiscal period brings a row for every customer: there, only absence is telling.
GROWS_BY_CALENDAR: Final = frozenset({"AR_CustomerSalesHistory"})
_MANY: Final = 0.5  # of the absent records that were looked at


def moved(run: Pass) -> int:
    """How many keys have come, or gone for the first time: the greater of the two."""
    return max(run.new, run.fresh)


def trips(run: Pass, share: float) -> bool:
    """Whether more than this share of the known keys has come or gone in this pass so far, or all
    of them have gone.
    """
    if emptied(run):
        return True
    if run.first or run.known < LEAST_KNOWN:
        return False
    return moved(run) >= LEAST_MOVED and moved(run) > share * run.known


def emptied(run: Pass) -> bool:
    """Whether a complete sweep shows nothing where records were known, for the first time."""
    return run.all_read and not run.seen and run.known >= LEAST_EMPTIED and run.fresh > 0


def held(run: Pass, via: Via, entity: str, rewound: SourceRewound | None = None) -> MassChangeHeld:
    """The event that freezes the company, with the figures so far."""
    return MassChangeHeld(
        via=via,
        entity=entity,
        known=run.known,
        new=run.new,
        absent=run.fresh,
        share=round(100 * moved(run) / run.known),
        suspicion=suspicion(run, via, rewound),
        since=run.origin,
    )


def suspicion(run: Pass, via: Via, rewound: SourceRewound | None) -> str:
    """What it looks like, in words for a person; a guess, and said as one."""
    if emptied(run):
        return (
            "the agent shows none of them any more: emptied files, another data path, or an agent "
            "that may not read them"
        )
    if _exchanged(run) and run.looked and run.twins >= _MANY * run.looked:
        return (
            "it looks like a renumbering utility or a longer invoice number: as many records came "
            f"as went, and {run.twins:,} of {run.looked:,} looked at came back under another key "
            "with the same content"
        )
    if _exchanged(run):
        return "it looks as if another company answered under this company code"
    if rewound is not None:
        return (
            "it looks like a restored backup: the newest stamp went back from "
            f"{rewound.stamp[0]} to {rewound.stamp[1]}"
        )
    if run.fresh > run.new:
        return "it looks like a purge, or an agent that does not show everything"
    if via == "cursor":
        return (
            "they were never seen before: a bulk import, or another company under this company "
            "code; whether others are gone, only a sweep can tell"
        )
    return "they were never seen before: a bulk import, or another company under this company code"


def _exchanged(run: Pass) -> bool:
    """Whether many came and many went: not an earlier state, but another one."""
    return run.fresh >= LEAST_MOVED and run.new >= max(LEAST_MOVED, _MANY * run.fresh)


def rewind(run: Pass, before: tuple[str, int, str], rows: int) -> SourceRewound | None:
    """Whether a complete sweep shows an earlier state of Sage 100 than the one before it.

    `before`: newest stamp, number of rows and highest HeaderSeqNo then; `rows`: how many now. The
    newest stamp alone may go back when one record is deleted; it takes a second sign.
    """
    top, count, sequence = before
    if _exchanged(run) or not earlier(run.top, top):
        return None
    if run.back == 0 and run.newest_gone < 2 and not run.sequence < sequence:
        return None
    return SourceRewound(
        via="sweep",
        stamp=(top, run.top),
        rows=(count, rows),
        sequence=(sequence, run.sequence) if sequence else ("", ""),
        back=run.back,
        gone=run.newest_gone,
    )
