"""A town's trade, as a service that has run for two years has it in its log.

A few customers have most of the invoices. Month after month invoices are posted and paid, and a
pass of the poller tells of them; every invoice is written and linked, and every customer that the
month has touched is written once, as the projector does when the pass is over. Each command is led
to by what Sage 100 showed, and says what it changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from eventstore import NewEvent
from projections import events, keys

_MONTHS: Final = 24
_BATCH: Final = 1_000
_PER_INVOICE: Final = 15.0  # events over its life, its share of the customer's too
_LARGEST: Final = 400  # invoices of one customer


class Town:
    """The customers, their invoices, and the log of all that."""

    def __init__(self, count: int, seed: int = 1) -> None:
        """`count`: about how many events."""
        self._chance = Random(seed)
        self._position = 0
        self._versions: dict[str, int] = {}
        self.told: dict[str, int] = {}  # company to events of its stream
        self.invoices: list[str] = []
        self._sizes: list[int] = []
        left = count / _PER_INVOICE
        while left > 0:
            size = min(_LARGEST, int(2 * self._chance.paretovariate(1.1)))
            self._sizes.append(size)
            left -= size

    def __str__(self) -> str:
        return (
            f"{self._position:,} events of {len(self._sizes):,} customers "
            f"and {len(self.invoices):,} invoices"
        )

    def companies(self) -> list[str]:
        """Every customer's target."""
        return list(self.told)

    @property
    def busiest(self) -> str:
        """The customer whose stream is the longest."""
        return max(self.told, key=self.told.__getitem__)

    def script(self, head: int) -> Iterator[list[NewEvent]]:
        """The log behind position `head`, in batches."""
        self._position = head
        batch: list[NewEvent] = []
        for event in self._events():
            batch.append(event)
            if len(batch) == _BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def _events(self) -> Iterator[NewEvent]:
        posted: list[tuple[int, int]] = []  # (customer, invoice) not paid yet
        numbers = list(range(len(self._sizes)))
        due = self._calendar()
        for month in range(_MONTHS):
            touched: dict[int, int] = {}
            if month == 0:
                for number in numbers:
                    touched[number] = self._position + 1
                    yield self._seen("AR_Customer", _customer(number))
            for number, invoice in self._paid(posted):
                yield self._seen("AR_Payment", _payment(number, invoice, month))
                touched[number] = self._position + 1
                yield from self._billed(number, invoice, month, "0.00", is_new=False)
            for number, invoice in due[month]:
                touched[number] = self._position + 1
                yield from self._billed(number, invoice, month, "125.50", is_new=True)
                posted.append((number, invoice))
            for number, cause in touched.items():
                yield from self._written(_company(number), _figures(number, month), cause)

    def _calendar(self) -> list[list[tuple[int, int]]]:
        """Which invoices are posted in which month, in no order."""
        due: list[list[tuple[int, int]]] = [[] for _ in range(_MONTHS)]
        for number, size in enumerate(self._sizes):
            for invoice in range(size):
                due[self._chance.randrange(_MONTHS)].append((number, invoice))
        for month in due:
            self._chance.shuffle(month)
        return due

    def _paid(self, posted: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Two thirds of what is open is paid in a month."""
        self._chance.shuffle(posted)
        count = len(posted) * 2 // 3
        paid = posted[:count]
        del posted[:count]
        return paid

    def _billed(
        self, number: int, invoice: int, month: int, balance: str, *, is_new: bool
    ) -> Iterator[NewEvent]:
        yield self._seen("AR_Invoice", _invoice(number, invoice, month, balance))
        cause = self._position
        name = f"invoices/ABC:{_number(number)}:{invoice:07}-000001-IN"
        changes = {"sage100_balance": balance, "hs_invoice_status": "open", "sage100_paid": "no"}
        if is_new:
            self.invoices.append(name)
            changes |= {"hs_number": f"{invoice:07}", "hs_currency": "USD", "amount": "125.50"}
        yield from self._written(name, changes, cause)
        if is_new:
            link = keys.association(name, _company(number))
            yield from self._written(link, {"linked": "true"}, cause)

    def _written(self, name: str, changes: dict[str, str], cause: int) -> Iterator[NewEvent]:
        """Decided on, sent, acknowledged."""
        stream = keys.hubspot_stream(name)
        number = self._versions.get(name, 0) + 1
        self._versions[name] = number + 2
        if name.startswith("companies/"):
            self.told[name] = number + 2
        emitted: dict[str, events.Change] = {prop: (None, value) for prop, value in changes.items()}
        told: list[events.Event] = [
            events.CommandEmitted(number, emitted, "changed in Sage 100", "m" * 12),
            events.CommandSent(number, "b" * 16, 1),
            events.CommandSucceeded(number, str(10**9 + len(self._versions)), "updated", "b" * 16),
        ]
        for one, led_to_by in zip(told, (cause, None, None), strict=True):
            self._position += 1
            yield NewEvent(stream, events.type_of(one), events.encode(one), cause=led_to_by)

    def _seen(self, entity: str, row: dict[str, str]) -> NewEvent:
        parts = [row[column] for column in keys.KEY_COLUMNS[entity]]
        seen = events.RecordObserved(parts, row, "f" * 32, "20261121 8.49238")
        stream = keys.sage_stream("a", "ABC", entity, keys.record_key(entity, parts))
        self._position += 1
        return NewEvent(stream, "RecordObserved", events.encode(seen))


def _number(number: int) -> str:
    return f"01-C{number:06}"


def _company(number: int) -> str:
    return f"companies/ABC:{_number(number)}"


def _customer(number: int) -> dict[str, str]:
    return {
        "ARDivisionNo": "01",
        "CustomerNo": f"C{number:06}",
        "CustomerName": f"Customer {number} & Sons",
        "AddressLine1": f"{number} Main Street",
        "City": "Chicago",
        "State": "IL",
        "ZipCode": "60601",
        "CountryCode": "USA",
        "TelephoneNo": "(312) 555-1212",
        "EmailAddress": f"ap@customer{number}.example",
        "TermsCode": "30",
        "CreditLimit": "10000.00",
        "Comment": "x" * 200,
    }


def _invoice(number: int, invoice: int, month: int, balance: str) -> dict[str, str]:
    day = f"{2025 + month // 12}{month % 12 + 1:02}15"
    return {
        "ARDivisionNo": "01",
        "CustomerNo": f"C{number:06}",
        "InvoiceNo": f"{invoice:07}",
        "HeaderSeqNo": "000001",
        "InvoiceType": "IN",
        "SoldToDivisionNo": "01",
        "SoldToCustomerNo": f"C{number:06}",
        "InvoiceDate": day,
        "InvoiceDueDate": day[:6] + "28",
        "TermsCode": "30",
        "NonTaxableAmt": "125.50",
        "Balance": balance,
        "IsOpen": "N" if balance == "0.00" else "Y",
        "Comment": "x" * 150,
    }


def _payment(number: int, invoice: int, month: int) -> dict[str, str]:
    day = f"{2025 + month // 12}{month % 12 + 1:02}20"
    return {
        "ARDivisionNo": "01",
        "CustomerNo": f"C{number:06}",
        "InvoiceNo": f"{invoice:07}",
        "InvoiceType": "IN",
        "TransactionDate": day,
        "SequenceNo": "000001",
        "TransactionType": "P",
        "PaymentDate": day,
        "TransactionAmt": "125.50",
    }


def _figures(number: int, month: int) -> dict[str, str]:
    names = ("balance", "aging_current", "aging_1_30", "aging_31_60", "last_payment_amount")
    return {f"sage100_{name}": f"{number % 97}.{month:02}" for name in names}
