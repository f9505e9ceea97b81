"""What utilities and jobs of Sage 100 do to a company, each as one call that may be refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from connector.sandbox.agent import (
    Company,
    arrangements,
    batches,
    jobs,
    period_end,
    posting,
    renumbering,
)
from connector.sandbox.agent.values import cents

Job = Callable[[Company, int], object]


def _merge(company: Company, pick: int) -> None:
    keys = _customers(company, pick)
    if len(keys) > 1:
        renumbering.merge_customers(company, keys[0], keys[1])


def _match(company: Company, pick: int) -> None:
    """A credit and an invoice of one customer, matched as far as they go."""
    rows = list(company.rows("AR_Customer"))
    if not rows:
        return
    row = rows[pick % len(rows)]
    customer = (row["ARDivisionNo"], row["CustomerNo"])
    invoice = posting.post_invoice(company, customer, "30")
    credit = posting.credit_memo(company, customer, "12")
    if cents(company.row("AR_Invoice", invoice)["Balance"]):
        jobs.match_credit(company, credit, invoice)


def _customers(company: Company, pick: int) -> list[tuple[str, str]]:
    """All of them, another one first each time."""
    keys = [(row["ARDivisionNo"], row["CustomerNo"]) for row in company.rows("AR_Customer")]
    return keys[pick % len(keys) :] + keys[: pick % len(keys)] if keys else []


def _enter(company: Company, pick: int) -> None:
    """Invoices are entered, one of them edited and one deleted: nothing of it may be seen."""
    batch = f"{pick % 3:05}"
    numbers = [
        batches.enter_invoice(company, batch, customer, f"{10 + pick % 90}.25")
        for customer in _customers(company, pick)[:3]
    ]
    if len(numbers) == 3:
        batches.edit_invoice(company, batch, numbers[0], "77.10")
        batches.delete_invoice(company, batch, numbers[1])


def _post(company: Company, pick: int) -> None:
    """All that was entered is posted, in some batches under new numbers."""
    for batch in list(company.batches):
        batches.post_batch(company, batch, renumber=pick % 3 == 0, stamp=pick % 2 == 0)


def _national(company: Company, pick: int) -> None:
    """One customer buys, and another owes, and pays a part."""
    customers = _customers(company, pick)
    if len(customers) > 1:
        payer, buyer = customers[:2]
        stamp = pick % 2 == 0
        invoice = arrangements.national_invoice(company, payer, buyer, "88", stamp=stamp)
        posting.receive_payment(company, invoice, "8", stamp=stamp)


# name -> what it does; a ModelError is Sage 100's refusal
JOBS: dict[str, Job] = {
    "import": lambda company, pick: jobs.import_customers(company, {"Comment": f"job {pick}"}),
    "aging": lambda company, _: jobs.refresh_aging(company),
    "credit match": _match,
    "period end": lambda company, pick: period_end.period_end(company, retain_days=pick % 90),
    "purge of history": lambda company, pick: period_end.purge_history(
        company, company.clock().date() - timedelta(days=pick % 900)
    ),
    "purge of payments": lambda company, pick: period_end.purge_payments(
        company, company.clock().date() - timedelta(days=pick % 900)
    ),
    "merge": _merge,
    "batch entered": _enter,
    "batches posted": _post,
    "national account": _national,
    "longer invoice numbers": lambda company, _: renumbering.expand_invoice_numbers(company),
}
