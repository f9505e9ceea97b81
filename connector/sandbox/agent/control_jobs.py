"""Orders to the control endpoint that run a job, a utility or an update of the simulated Sage 100.

    import          fields, customers (all), stamp=false          {"count": n}
    match           credit, invoice, amount (all)                 {}
    age             as_of (today)                                 {"count": n}
    period_end      retain_days=0, retain_months                  {"items": n, "customers": n}
    purge_history   through                                       {"count": n}
    purge_payments  through                                       {"count": n}
    renumber        customer, to                                  {}
    merge           customer, into                                {}
    expand          width=20                                      {}
    retype          invoice, type                                 {"key": […]}
    back_up         name                                          {}
    restore         name                                          {}
    swap            other (a company's code), name                {}
    enter           batch, customer, total, type, invoice_no      {"invoice_no": "…"}
    post            batch, renumber=false, stamp=true             {"keys": [[…], …]}
    national        payer, buyer, total, stamp=true               {"key": […]}
    carry           customer                                      {"key": […] or null}
    restamp         entity, moment (blank), keys (all)            {"count": n}
    clock           shift_s                                       {}
    settings        posting_stamps_customers, external_access,    {}
                    workstation_skew_s

`swap` serves another company's files under this code, and keeps this one's as the backup `name`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from connector.sandbox.agent import (
    arrangements,
    backups,
    batches,
    jobs,
    maintenance,
    period_end,
    renumbering,
    stamps,
)
from connector.sandbox.agent.control_order import ControlOrder
from connector.sandbox.agent.errors import ModelError
from connector.sandbox.agent.model import Company, Model
from connector.sandbox.agent.posting import CustomerKey, InvoiceKey


class Import(ControlOrder, frozen=True, tag="import"):
    """A Visual Integrator import."""

    fields: dict[str, str]
    customers: list[CustomerKey] | None = None
    stamp: bool = False


class Match(ControlOrder, frozen=True, tag="match"):
    """Apply an open credit to an open item."""

    credit: InvoiceKey
    invoice: InvoiceKey
    amount: str | None = None


class Age(ControlOrder, frozen=True, tag="age"):
    """The aging report with update."""

    as_of: date | None = None


class PeriodEnd(ControlOrder, frozen=True, tag="period_end"):
    """Period end processing."""

    retain_days: int = 0
    retain_months: int | None = None


class PurgeHistory(ControlOrder, frozen=True, tag="purge_history"):
    """Purge AR History."""

    through: date


class PurgePayments(ControlOrder, frozen=True, tag="purge_payments"):
    """Purge the payment history of closed items."""

    through: date


class Renumber(ControlOrder, frozen=True, tag="renumber"):
    """Give a customer another number."""

    customer: CustomerKey
    to: CustomerKey


class Merge(ControlOrder, frozen=True, tag="merge"):
    """Merge a customer into another."""

    customer: CustomerKey
    into: CustomerKey


class Expand(ControlOrder, frozen=True, tag="expand"):
    """Expand the invoice numbers."""

    width: int = 20


class Retype(ControlOrder, frozen=True, tag="retype"):
    """Put an item under another type."""

    invoice: InvoiceKey
    type: str


class BackUp(ControlOrder, frozen=True, tag="back_up"):
    """Copy the files of a company."""

    name: str


class Restore(ControlOrder, frozen=True, tag="restore"):
    """Put a backup back."""

    name: str


class Swap(ControlOrder, frozen=True, tag="swap"):
    """Serve another company's files under this code."""

    other: str
    name: str


class Enter(ControlOrder, frozen=True, tag="enter"):
    """Enter an invoice into a batch."""

    batch: str
    customer: CustomerKey
    total: str
    type: str = "IN"
    invoice_no: str | None = None


class Post(ControlOrder, frozen=True, tag="post"):
    """Post a batch."""

    batch: str
    renumber: bool = False
    stamp: bool = True


class National(ControlOrder, frozen=True, tag="national"):
    """Post an invoice that one customer caused and another owes."""

    payer: CustomerKey
    buyer: CustomerKey
    total: str
    stamp: bool = True


class Carry(ControlOrder, frozen=True, tag="carry"):
    """Make a customer a balance-forward one, and carry its balance forward."""

    customer: CustomerKey


class Restamp(ControlOrder, frozen=True, tag="restamp"):
    """Give rows one and the same stamp, or none."""

    entity: str
    moment: datetime | None = None
    keys: list[tuple[str, ...]] | None = None


class SetClock(ControlOrder, frozen=True, tag="clock"):
    """Set the server's clock forward or back."""

    shift_s: float


class Settings(ControlOrder, frozen=True, tag="settings"):
    """Change settings of a company."""

    posting_stamps_customers: bool | None = None
    external_access: bool | None = None
    workstation_skew_s: float | None = None


Job = Import | Match | Age | PeriodEnd | PurgeHistory | PurgePayments
Utility = Renumber | Merge | Expand | Retype | BackUp | Restore | Swap
Update = Enter | Post | National | Carry | Restamp | SetClock | Settings
LifeOrder = Job | Utility | Update


class Jobs:
    """Carries such orders out; keeps the backups that they make."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._backups: dict[tuple[str, str], backups.Backup] = {}

    def carry_out(self, order: LifeOrder) -> Mapping[str, Any]:
        """One order. Raises ModelError or ValueError when it makes no sense."""
        company = self._model.company(order.company)
        if isinstance(order, Job):
            return _run(company, order)
        if isinstance(order, Utility):
            self._use(company, order)
            return {"key": (*order.invoice[:4], order.type)} if isinstance(order, Retype) else {}
        return self._update(company, order)

    def _use(self, company: Company, order: Utility) -> None:
        match order:
            case Renumber():
                renumbering.renumber_customer(company, order.customer, order.to)
            case Merge():
                renumbering.merge_customers(company, order.customer, order.into)
            case Expand():
                renumbering.expand_invoice_numbers(company, order.width)
            case Retype():
                renumbering.retype_invoice(company, order.invoice, order.type)
            case BackUp():
                self._backups[company.code, order.name] = backups.back_up(company)
            case Restore():
                backup = self._backups.get((company.code, order.name))
                if backup is None:
                    raise ModelError(f"{company.code} has no backup {order.name!r}")
                backups.restore(company, backup)
            case Swap():
                other = self._model.company(order.other)
                own = backups.serve_instead(company, other)
                self._backups[company.code, order.name] = own

    def _update(self, company: Company, order: Update) -> Mapping[str, Any]:
        match order:
            case Enter():
                number = batches.enter_invoice(
                    company,
                    order.batch,
                    order.customer,
                    order.total,
                    invoice_type=order.type,
                    invoice_no=order.invoice_no,
                )
                return {"invoice_no": number}
            case Post():
                keys = batches.post_batch(
                    company, order.batch, renumber=order.renumber, stamp=order.stamp
                )
                return {"keys": keys}
            case National():
                key = arrangements.national_invoice(
                    company, order.payer, order.buyer, order.total, stamp=order.stamp
                )
                return {"key": key}
            case Carry():
                change = {"OpenItemCustomer": "N"}
                maintenance.change_customer(company, order.customer, change, stamp=False)
                return {"key": arrangements.carry_forward(company, order.customer)}
            case Restamp():
                count = stamps.restamp(company, order.entity, order.moment, order.keys)
                return {"count": count}
            case SetClock():
                self._model.shift_clocks(timedelta(seconds=order.shift_s))
            case Settings():
                _set(company, order)
        return {}


def _run(company: Company, order: Job) -> Mapping[str, Any]:
    match order:
        case Import():
            count = jobs.import_customers(company, order.fields, order.customers, stamp=order.stamp)
            return {"count": count}
        case Match():
            jobs.match_credit(company, order.credit, order.invoice, order.amount)
            return {}
        case Age():
            return {"count": jobs.refresh_aging(company, order.as_of)}
        case PeriodEnd():
            closed = period_end.period_end(
                company, retain_days=order.retain_days, retain_months=order.retain_months
            )
            return {"items": len(closed.items), "customers": len(closed.customers)}
        case PurgeHistory():
            return {"count": len(period_end.purge_history(company, order.through))}
        case PurgePayments():
            return {"count": period_end.purge_payments(company, order.through)}


def _set(company: Company, order: Settings) -> None:
    if order.posting_stamps_customers is not None:
        company.posting_stamps_customers = order.posting_stamps_customers
    if order.external_access is not None:
        company.external_access = order.external_access
    if order.workstation_skew_s is not None:
        company.workstation_skew = timedelta(seconds=order.workstation_skew_s)
