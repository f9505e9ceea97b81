"""The read models: which tables there are, and what a row of each holds.

All of them are folds of the log and can be dropped and rebuilt. Rows are stored as compact
arrays (`array_like`), so fields are only ever added at the end; `VERSION` is bumped, and the
tables rebuilt, when their meaning changes.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

VERSION: Final = 8

# HubSpot objects in the order in which they are written: each one's parents come before it.
LANES: Final = ("companies", "vendors", "contacts", "invoices", "line_items", "associations")
# Of these, what is not kept everywhere: told of only where there is any.
OPTIONAL: Final = frozenset({"line_items"})

State = Literal["idle", "pending", "sent", "held", "parked"]


class Doc(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Root of all rows."""


class Fingerprint(Doc, frozen=True):
    """Last seen content of one source record."""

    fingerprint: str
    stamp: str = ""
    vanished: bool = False


class Account(Doc, frozen=True):
    """One customer: its raw row, and the figures its invoices, payments and sales add up to.

    `row` is None until the customer itself is seen. `invoices`, `contacts`: rows seen.
    `posted`: how many bills are sales that it pays or bought. `paid_days`: summed over `paid_count`
    paid invoices. `sales`: fiscal "YYYY-PP" to DollarsSold. `last_payment`: [date YYYYMMDD,
    amount], the newest seen; `retracted` once what was the newest had to be taken back.
    """

    row: dict[str, str] | None = None
    posted: int = 0
    invoices: int = 0
    contacts: int = 0
    last_payment: tuple[str, str] | None = None
    paid_count: int = 0
    paid_days: int = 0
    sales: dict[str, str] = {}
    vanished: bool = False
    erased: bool = False
    retracted: bool = False


class SourceRow(Doc, frozen=True):
    """A contact, terms code, vendor or line of an invoice: its raw row."""

    row: dict[str, str]
    vanished: bool = False
    erased: bool = False


class Bill(Doc, frozen=True):
    """All that goes by one customer, invoice number and type: history rows and payments.

    `rows`: HeaderSeqNo to raw row. `payments`: "date-sequence" to [transaction type, payment
    date YYYYMMDD, amount, HeaderSeqNo it was posted to or ""]. `gone`: header sequences that
    vanished from Sage 100; of them `withdrawn` were another company's. `ended`: header sequence to
    the one that was seen open after it, which it therefore is no more.
    """

    rows: dict[str, dict[str, str]] = {}
    payments: dict[str, tuple[str, str, str, str]] = {}
    gone: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    ended: dict[str, str] = {}


class OpenItem(Doc, frozen=True):
    """One open receivable, raw: what aging needs and no more."""

    type: str
    invoice_date: str
    due_date: str
    terms: str
    balance: str


class Withheld(Doc, frozen=True):
    """A value that HubSpot would not take, why, and the record that has it (an id, or "").

    `unsent`: the portal's own definitions do not allow it.
    """

    value: str
    reason: str
    owner: str = ""
    unsent: bool = False


class Pin(Doc, frozen=True):
    """A property of an undo: as long as `ours` is desired, HubSpot shall hold `back`.

    `back` None: whatever it holds. `expected`: what must still stand there when `back` is written;
    None: whatever it is, as once it has been written.
    """

    ours: str
    back: str | None
    expected: str | None = None


class Target(Doc, frozen=True):
    """What the log says of one HubSpot object: what it holds, and the one command open on it.

    `version`: of its stream. `held`: property to acknowledged value. `changes`: property to the
    value the open command sets. `doubt`: values an attempt of unknown outcome may have set.
    `unknown`: read by key before sending again. `owner`: the record in a parked command's way.
    `lost`: the id of a record that is gone, until another one stands in its place. `withheld`:
    property to the value that was left out of the last write. `unkeyed`: the record was adopted
    and does not carry our key yet. `pins`: properties that an undo has put back.
    `deal`: HubSpot id of the deal an invoice belongs to; `deals`: several that it might; `number`:
    what they were looked for by. `garbage`: column to what it holds instead of an amount.
    `expected`: property to what HubSpot must still hold when the open command is carried out.
    """

    version: int = 0
    hubspot_id: str = ""
    state: State = "idle"
    command: int = 0
    attempt: int = 0
    changes: dict[str, str] = {}
    fill: tuple[str, ...] = ()
    held: dict[str, str] = {}
    doubt: dict[str, str] = {}
    unknown: bool = False
    retry_at_us: int = 0
    waiting_for: tuple[str, ...] = ()
    reason: str = ""
    skipped: str = ""
    owner: str = ""
    lost: str = ""
    withheld: dict[str, Withheld] = {}
    unkeyed: bool = False
    pins: dict[str, Pin] = {}
    deal: str = ""
    deals: tuple[str, ...] = ()
    number: str = ""
    garbage: dict[str, str] = {}
    expected: dict[str, str] = {}


class Dirty(Doc, frozen=True):
    """A target to be decided on: the position that led to it; `force` sends it again in full.

    `why`: the reason to give for a command, where it is another one than Sage 100.
    """

    cause: int
    force: str = ""
    why: str = ""


class Fanout(Doc, frozen=True):
    """A change that touches many targets, worked off in pages: which rows, and how far.

    `note`: of `links`, the target whose links with the invoices are to be looked at. `why`: the
    reason to give for commands, where it is another one than Sage 100.
    """

    kind: Literal[
        "open_items", "accounts", "bills", "contacts", "vendors", "links", "details", "bought"
    ]
    prefix: str
    cause: int
    after: str = ""
    note: str = ""
    why: str = ""


class Source(Doc, frozen=True):
    """One company code: its SourceDescribed, its as-of day (YYYYMMDD), and its fiscal calendar.

    `latest_period`: the newest "YYYY-PP" in any customer's sales history; `periods_per_year`: 12,
    or 13 where the company keeps that many. `read`: entities whose first pass has come to its end,
    of those whose rows are added up.
    """

    instance: str = ""
    currency: str = ""
    timezone: str = ""
    aging_basis: str = "DueDate"
    aging_limits: tuple[int, ...] = ()
    revenue_periods: int = 12
    columns: dict[str, tuple[str, ...]] = {}
    as_of: str = ""
    latest_period: str = ""
    periods_per_year: int = 12
    read: tuple[str, ...] = ()


class Frozen(Doc, frozen=True):
    """A company whose decisions wait for a person: `position` of the first MassChangeHeld since
    it last was free, `latest` of the newest; events after `since` may stem from what was wrong.
    """

    position: int
    latest: int
    since: int
    via: str
    instance: str
    entity: str
    known: int
    new: int
    absent: int
    share: int
    suspicion: str


class PlainText(Doc, frozen=True):
    """A row whose one value is text (a parked reason, an alias, a waiting child)."""

    text: str = ""


class Number(Doc, frozen=True):
    """A row whose one value is a number."""

    value: int = 0


class PassBook(Doc, frozen=True):
    """The last pass over one entity, and whether its sum closes.

    `misses`: [position of a SweepCompleted, changes the cursor had missed] of the latest sweeps
    that found any. `rewound`: in what way the source went back, until a sweep finds it sound.
    `waiting`: since when others have used Sage 100, and when that becomes an error. `skipped`: why
    the entity is not read. `blank`: events of the pass whose payload was erased, so that nobody can
    say what they were.
    """

    via: str = ""
    started: int = 0
    completed: int = 0
    read: int = 0
    unchanged: int = 0
    observed: int = 0
    vanished: int = 0
    missed_by_cursor: int = 0
    seen_events: int = 0
    error: dict[str, str] | None = None
    closes: bool = True
    misses: tuple[tuple[int, int], ...] = ()
    rewound: str = ""
    waiting: dict[str, str] | None = None
    skipped: str = ""
    blank: int = 0


class ObjectBook(Doc, frozen=True):
    """Commands of one HubSpot object by where they are: emitted = the sum of the others.

    `refused`: why the token may not write any of them, as `books.fold_writing` tells.
    """

    emitted: int = 0
    succeeded: int = 0
    pending: int = 0
    held: int = 0
    parked: int = 0
    superseded: int = 0
    adopted: int = 0
    skipped: int = 0
    refused: dict[str, str] | None = None


class Calls(Doc, frozen=True):
    """HTTP calls so far, and the account's calls of a day as HubSpot last told.

    `refused`: why HubSpot does not accept the token, as `books.fold_writing` tells.
    """

    hubspot_calls: int = 0
    hubspot_writes: int = 0
    hubspot_reads: int = 0
    hubspot_429: int = 0
    agent_calls: int = 0
    hubspot_daily_limit: int | None = None
    hubspot_daily_left: int | None = None
    hubspot_resets_at: str = ""
    refused: dict[str, str] | None = None


class ActiveMapping(Doc, frozen=True):
    """The mapping in force."""

    digest: str
    mapping: msgspec.Raw


# table -> (row type, ranked). Ranks are microseconds UTC.
TABLES: Final[dict[str, tuple[type[Doc], bool]]] = {
    # written by the poller together with its events
    "fingerprint": (Fingerprint, False),
    # folds of sage/… and config/…
    "account": (Account, False),
    "contact": (SourceRow, False),
    "terms": (SourceRow, False),
    "vendor": (SourceRow, False),
    "detail": (SourceRow, False),
    "bill": (Bill, False),
    "open_item": (OpenItem, False),
    # invoices that another customer pays than bought: "buyer>invoice"
    "bought": (PlainText, False),
    "source": (Source, False),
    "mapping": (ActiveMapping, False),
    "frozen": (Frozen, False),
    # records whose personal data is not to be had again, by their `fingerprint` key
    "erased": (PlainText, False),
    # folds of hubspot/…, written together with the events by whoever appends them
    "target": (Target, False),
    **{f"outbox_{lane}": (PlainText, True) for lane in LANES},
    "inflight": (PlainText, False),
    "waiting": (PlainText, False),
    "parked": (PlainText, False),
    "blocked": (PlainText, False),
    "withheld": (PlainText, False),
    # records some amount of which is no number, and which cells that are
    "garbage": (PlainText, False),
    # invoices by what became of the look for their deal: linked/…, several/…, none/…
    "deal": (PlainText, False),
    # the projector's own work list
    "dirty": (Dirty, False),
    "deferred": (Dirty, False),
    "fanout": (Fanout, False),
    # reports
    "pass_book": (PassBook, False),
    "object_book": (ObjectBook, False),
    "calls_book": (Calls, False),
    "alias": (PlainText, False),
    # which VERSION the rows above are of
    "model": (Number, False),
}

# Work lists are not folds of the log: a rebuild fills them anew, a comparison leaves them out.
WORK_LISTS: Final = frozenset({"dirty", "deferred", "fanout", "model"})

# A target stands in `dirty` under one of these prefixes, or both: to be decided on as usual, and
# to be sent again in full because somebody asked for it.
ORDINARY: Final = "0/"
FORCED: Final = "1/"
