"""What utilities and jobs of Sage 100 do to a company, each as one call that may be refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from connector.sandbox.agent import Company, jobs, period_end, posting, renumbering
from connector.sandbox.agent.values import cents

Job = Callable[[Company, int], object]


def _merge(company: Company, pick: int) -> None:
    keys = [(row["ARDivisionNo"], row["CustomerNo"]) for row in company.rows("AR_Customer")]
    if len(keys) > 1:
        source = keys[pick % len(keys)]
        renumbering.merge_customers(company, source, keys[(pick + 1) % len(keys)])


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
    "longer invoice numbers": lambda company, _: renumbering.expand_invoice_numbers(company),
}
