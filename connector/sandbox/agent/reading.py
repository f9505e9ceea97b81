"""The three operations: what a request means in terms of the model, and the faults it may meet.

Checks run in the order an agent meets them: company, its permission, entity, columns, cursor. No
snapshot is taken; every page is read from the files as they are at that moment.
"""

from __future__ import annotations

from connector.sandbox.agent.cursor import Cursors
from connector.sandbox.agent.errors import AgentFault, ModelError, RequestRefused
from connector.sandbox.agent.layouts import ENTITIES, Entity
from connector.sandbox.agent.model import Company, Model
from connector.sandbox.agent.options import AgentOptions
from connector.sandbox.agent.requests import GetInfo, ReadPage, ReadRow, Request
from connector.sandbox.agent.responses import info_xml, page_xml, rows_xml
from connector.sandbox.agent.table import Table


class Reader:
    """Answers requests from one model; every answer is (response element, rows in it)."""

    def __init__(self, model: Model, options: AgentOptions, cursors: Cursors) -> None:
        self._model = model
        self._options = options
        self._cursors = cursors

    def answer(self, request: Request) -> tuple[bytes, int]:
        """Carry out a request. Raises AgentFault or RequestRefused."""
        match request:
            case GetInfo():
                return self._info(), 0
            case ReadPage():
                return self._page(request)
            case ReadRow():
                return self._row(request)

    def _info(self) -> bytes:
        companies = self._model.companies.values()
        return info_xml(self._options, companies, ENTITIES.values(), self._server_time())

    def _page(self, request: ReadPage) -> tuple[bytes, int]:
        company, table = self._table(request.company, request.entity)
        columns = _columns(table.entity, request.columns)
        after = None
        if request.after is not None:
            after = self._cursors.read(company.code, table.entity.name, request.after)
        page = table.page(
            after=after,
            limit=request.limit,
            since=request.changed_since,
            scan_limit=self._options.scan_limit,
        )
        following = None
        if page.position is not None:
            following = self._cursors.issue(company.code, table.entity.name, page.position)
        payload = page_xml(
            "ReadPage",
            rows_xml(table.entity, page.rows, columns),
            following=following,
            scanned=page.scanned,
            capped=page.capped,
            server_time=self._server_time(),
        )
        return payload, len(page.rows)

    def _row(self, request: ReadRow) -> tuple[bytes, int]:
        company, table = self._table(request.company, request.entity)
        entity = table.entity
        if len(request.key) != len(entity.key):
            raise RequestRefused(f"the Key of {entity.name} has {len(entity.key)} parts")
        try:
            row = table.packed(request.key)
        except ModelError:  # a key that no file could hold is a key that is not there
            row = None
        if row is None:
            shown = "-".join(request.key)
            raise AgentFault("NotFound", f"{company.code} has no {entity.name} {shown:.120}")
        payload = page_xml(
            "ReadRow",
            rows_xml(entity, [row], None),
            following=None,
            scanned=1,
            capped=False,
            server_time=self._server_time(),
        )
        return payload, 1

    def _table(self, code: str, name: str) -> tuple[Company, Table]:
        company = self._model.companies.get(code)
        if company is None:
            raise AgentFault("InvalidCompany", f"company code {code!r:.40} is invalid")
        if not company.external_access:
            message = f"company {code} does not allow external access (Company Maintenance)"
            raise AgentFault("ExternalAccessDisabled", message)
        table = company.tables.get(name)
        if table is None:
            raise AgentFault("UnknownEntity", f"there is no entity {name!r:.60}")
        return company, table

    def _server_time(self) -> str:
        return self._model.company().clock().isoformat(timespec="seconds")


def _columns(entity: Entity, wanted: tuple[str, ...] | None) -> list[str] | None:
    """The columns to send: the key first, then the others as asked; None for all of them."""
    if wanted is None:
        return None
    unknown = [name for name in wanted if name not in entity.index]
    if unknown:
        raise AgentFault("UnknownColumn", f"{entity.name} has no column {unknown[0]!r:.60}")
    return list(dict.fromkeys((*entity.key, *wanted)))
