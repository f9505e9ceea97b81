"""The sandbox's back door: another process changes the simulated Sage 100 and scripts its faults.

`POST /control` on the agent's own port, from the loopback only, with `Authorization: Bearer TOKEN`
(the token is announced at start, and is none of the agent's own credentials). The body is one JSON
object, `{"do": NAME, …}`; the answer is JSON, or 400 with `{"error": …}`. `company` may be left
out everywhere and means the first one.

    change    entity, key, fields, stamp=true               {}
    add       entity, fields (its key too), stamp=true      {}
    remove    entity, key                                   {}
    raw       entity, key, column, text                     {}
    invoice   customer, total, type="IN", invoice_no,       {"key": […]}
              invoice_date, fields, history=true, stamp=true
    pay       invoice, amount, on, check_no, stamp=true     {"key": […]}
    credit    customer, amount, apply_to, invoice_no,       {"key": […]}
              stamp=true
    adjust    invoice, amount, on, stamp=true               {"key": […]}
    fault     fault: one of the scripted faults             {"number": n}
    release   number (left out: all of them)                {}
    stats                                                   the calls' counters
    snapshot  entity                                        {"rows": [{…}, …]}

Amounts are decimal text, dates ISO 8601, keys lists of strings. Scripted faults are those of
`faults` by their tags: `{"fault": "soap", "code": "ExclusiveUse", "times": 2}`, or `http`, `page`,
`truncated`, `trickle`, `oversized`, `malformed`, `doctype`, `drop`, `hold`. There are further
orders: jobs and utilities in `control_jobs`, the agent's manners in `control_manners`, what its
administrators do in `control_administration`.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import date
from ipaddress import ip_address
from typing import Any, Protocol

import msgspec
from aiohttp import web

from connector.sandbox.agent import maintenance, posting
from connector.sandbox.agent.calls import Calls
from connector.sandbox.agent.control_administration import AdministrationOrder, Server, administer
from connector.sandbox.agent.control_jobs import Jobs, LifeOrder
from connector.sandbox.agent.control_manners import MannersOrder, Premises, behave
from connector.sandbox.agent.control_order import ControlOrder
from connector.sandbox.agent.errors import ModelError
from connector.sandbox.agent.faults import AnyFault, FaultScript
from connector.sandbox.agent.model import Model

PATH = "/control"
InvoiceKey = tuple[str, str, str, str, str]


class Change(ControlOrder, frozen=True, tag="change"):
    """Change cells of a record, as the maintenance screen does."""

    entity: str
    key: tuple[str, ...]
    fields: dict[str, str]
    stamp: bool = True


class Add(ControlOrder, frozen=True, tag="add"):
    """Enter a record."""

    entity: str
    fields: dict[str, str]
    stamp: bool = True


class Remove(ControlOrder, frozen=True, tag="remove"):
    """Delete one record."""

    entity: str
    key: tuple[str, ...]


class Raw(ControlOrder, frozen=True, tag="raw"):
    """Put any text into one cell."""

    entity: str
    key: tuple[str, ...]
    column: str
    text: str


class Invoice(ControlOrder, frozen=True, tag="invoice"):
    """Post a document."""

    customer: tuple[str, str]
    total: str
    type: str = "IN"
    invoice_no: str | None = None
    invoice_date: date | None = None
    fields: dict[str, str] | None = None
    history: bool = True
    stamp: bool = True


class Pay(ControlOrder, frozen=True, tag="pay"):
    """Receive a payment."""

    invoice: InvoiceKey
    amount: str
    on: date | None = None
    check_no: str = ""
    stamp: bool = True


class Credit(ControlOrder, frozen=True, tag="credit"):
    """Post a credit memo, and apply it."""

    customer: tuple[str, str]
    amount: str
    apply_to: InvoiceKey | None = None
    invoice_no: str | None = None
    stamp: bool = True


class Adjust(ControlOrder, frozen=True, tag="adjust"):
    """Write an adjustment onto an open item."""

    invoice: InvoiceKey
    amount: str
    on: date | None = None
    stamp: bool = True


class Fault(ControlOrder, frozen=True, tag="fault"):
    """Script a fault."""

    fault: AnyFault


class Release(ControlOrder, frozen=True, tag="release"):
    """End one scripted fault, or all."""

    number: int | None = None


class Stats(ControlOrder, frozen=True, tag="stats"):
    """Ask for the counters."""


class Snapshot(ControlOrder, frozen=True, tag="snapshot"):
    """Ask for every row of an entity."""

    entity: str


Upkeep = Change | Add | Remove | Raw
Posting = Invoice | Pay | Credit | Adjust
Rest = LifeOrder | MannersOrder | AdministrationOrder
Order = Upkeep | Posting | Fault | Release | Stats | Snapshot | Rest
_decoder = msgspec.json.Decoder(Order)


class Whole(Premises, Server, Protocol):
    """The agent as all orders together see it."""


class Control:
    """Handles `/control`."""

    def __init__(
        self, model: Model, faults: FaultScript, calls: Calls, token: str, premises: Whole
    ) -> None:
        self._model = model
        self._jobs = Jobs(model)
        self._premises = premises
        self._faults = faults
        self._calls = calls
        self._token = token

    async def handle(self, request: web.Request) -> web.Response:
        """One order. 403 from elsewhere than the loopback, 401 without the token, 400 if wrong."""
        if request.remote is None or not ip_address(request.remote).is_loopback:
            return _json({"error": "the control endpoint answers the loopback only"}, status=403)
        given = request.headers.get("Authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
            return _json({"error": "the control token is missing or wrong"}, status=401)
        try:
            return _json(self._carry_out(_decoder.decode(await request.read())))
        except (msgspec.MsgspecError, ModelError, ValueError) as error:
            return _json({"error": str(error)}, status=400)

    def _carry_out(self, order: Order) -> Mapping[str, Any]:
        match order:
            case Fault():
                return {"number": self._faults.inject(order.fault).number}
            case Release(number=None):
                self._faults.clear()
                return {}
            case Release():
                if order.number is None or not self._faults.release(order.number):
                    raise ModelError(f"no scripted fault has the number {order.number}")
                return {}
            case Stats():
                return self._calls.summary()
            case Snapshot():
                return {"rows": self._model.rows(order.entity, order.company)}
            case Change() | Add() | Remove() | Raw():
                self._maintain(order)
                return {}
            case Invoice() | Pay() | Credit() | Adjust():
                return {"key": self._post(order)}
        if isinstance(order, MannersOrder):
            return behave(self._premises, order)
        if isinstance(order, AdministrationOrder):
            return administer(self._premises, order)
        return self._jobs.carry_out(order)

    def _maintain(self, order: Upkeep) -> None:
        company = self._model.company(order.company)
        match order:
            case Change():
                maintenance.change(
                    company, order.entity, order.key, order.fields, stamp=order.stamp
                )
            case Add():
                maintenance.add(company, order.entity, order.fields, stamp=order.stamp)
            case Remove():
                maintenance.remove(company, order.entity, order.key)
            case Raw():
                maintenance.set_raw(company, order.entity, order.key, order.column, order.text)

    def _post(self, order: Posting) -> tuple[str, ...]:
        company = self._model.company(order.company)
        match order:
            case Invoice():
                return posting.post_invoice(
                    company,
                    order.customer,
                    order.total,
                    invoice_type=order.type,
                    invoice_no=order.invoice_no,
                    invoice_date=order.invoice_date,
                    fields=order.fields,
                    history=order.history,
                    stamp=order.stamp,
                )
            case Pay():
                return posting.receive_payment(
                    company,
                    order.invoice,
                    order.amount,
                    on=order.on,
                    check_no=order.check_no,
                    stamp=order.stamp,
                )
            case Credit():
                return posting.credit_memo(
                    company,
                    order.customer,
                    order.amount,
                    apply_to=order.apply_to,
                    invoice_no=order.invoice_no,
                    stamp=order.stamp,
                )
            case Adjust():
                return posting.adjust(
                    company, order.invoice, order.amount, on=order.on, stamp=order.stamp
                )


def _json(answer: Mapping[str, Any], *, status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=msgspec.json.encode(answer), content_type="application/json"
    )
