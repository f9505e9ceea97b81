"""The three operations: what a request means in terms of the model, and the faults it may meet.

Checks run in the order an agent meets them: company, its permission, entity, columns, cursor. No
snapshot is taken; every page is read from the files as they are at that moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from connector.sandbox.agent.conduct import Conduct
from connector.sandbox.agent.cursor import Cursors
from connector.sandbox.agent.distortion import distorted
from connector.sandbox.agent.errors import AgentFault, ModelError, RequestRefused
from connector.sandbox.agent.faults import SoapFault
from connector.sandbox.agent.layouts import Entity, revised
from connector.sandbox.agent.model import Company, Model
from connector.sandbox.agent.options import AgentOptions
from connector.sandbox.agent.requests import GetInfo, ReadPage, ReadRow, Request
from connector.sandbox.agent.responses import info_xml, page_xml, rows_xml
from connector.sandbox.agent.table import Table


class Answer(msgspec.Struct, frozen=True):
    """A response element, the rows in it, and the rows looked at for it."""

    payload: bytes
    rows: int = 0
    scanned: int = 0


class Reader:
    """Answers requests from one model, as `conduct` lets it."""

    def __init__(
        self, model: Model, options: AgentOptions, cursors: Cursors, conduct: Conduct
    ) -> None:
        self._model = model
        self._options = options
        self._cursors = cursors
        self._conduct = conduct
        self._second: dict[tuple[str, str], str] = {}  # company, entity to the second page's cursor

    def answer(self, request: Request) -> Answer:
        """Carry out a request. Raises AgentFault or RequestRefused."""
        match request:
            case GetInfo():
                return Answer(self._info())
            case ReadPage():
                return self._page(request)
            case ReadRow():
                return self._row(request)

    def _info(self) -> bytes:
        companies = self._model.companies.values()
        entities = [self._served(entity) for entity in self._model.entities()]
        return info_xml(
            self._options,
            companies,
            entities,
            self._server_time(),
            aging_limits=self._conduct.aging_limits,
        )

    def _page(self, request: ReadPage) -> Answer:
        company, table = self._table(request.company, request.entity)
        columns = self._columns(table.entity, request.columns)
        after = None
        if request.after is not None:
            after = self._cursors.read(company.code, table.entity.name, request.after)
        page = table.page(
            after=after,
            limit=request.limit,
            since=request.changed_since,
            scan_limit=self._conduct.scan_limit,
            end=self._conduct.scan_cap,
        )
        self._check_locks(table, page.rows)
        following = None
        if page.position is not None:
            following = self._cursors.issue(company.code, table.entity.name, page.position)
            following = self._led_on(company.code, table.entity.name, request.after, following)
        payload = page_xml(
            "ReadPage",
            rows_xml(table.entity, distorted(self._conduct, table.entity, page.rows), columns),
            following=following,
            scanned=page.scanned,
            capped=page.capped,
            server_time=self._server_time(),
            cut=page.cut,
        )
        return Answer(payload, len(page.rows), page.scanned)

    def _led_on(self, company: str, entity: str, after: str | None, following: str) -> str:
        """The Next that is told, by an agent that may have lost its way."""
        if after is None:
            self._second[company, entity] = following
        second = self._second.get((company, entity), after)
        goes_round = self._conduct.goes_round and after is not None and after != second
        return second if goes_round and second is not None else following

    def _row(self, request: ReadRow) -> Answer:
        company, table = self._table(request.company, request.entity)
        entity = table.entity
        if len(request.key) != len(entity.key):
            raise RequestRefused(f"the Key of {entity.name} has {len(entity.key)} parts")
        try:
            row = table.packed(request.key)
        except ModelError:  # a key that no file could hold is a key that is not there
            row = None
        cap = self._conduct.scan_cap
        if row is not None and cap is not None and table.rank(request.key) >= cap:
            row = None  # the agent looks no further, and takes what it did not see for missing
        if row is None:
            shown = "-".join(request.key)
            raise AgentFault("NotFound", f"{company.code} has no {entity.name} {shown:.120}")
        self._check_locks(table, [row])
        payload = page_xml(
            "ReadRow",
            rows_xml(
                entity,
                distorted(self._conduct, entity, [row]),
                self._columns(entity, None),
            ),
            following=None,
            scanned=1,
            capped=False,
            server_time=self._server_time(),
        )
        return Answer(payload, 1, 1)

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
        self._conduct.admit(code, name)
        return company, table

    def _served(self, entity: Entity) -> Entity:
        """The entity with those of its columns that this agent knows of."""
        hidden = {name for name in entity.names if self._conduct.hides(entity.name, name)}
        return revised(entity, without=frozenset(hidden)) if hidden else entity

    def _columns(self, entity: Entity, wanted: tuple[str, ...] | None) -> list[str] | None:
        """The columns to send: the key first, then the others as asked; None for all of them."""
        served = self._served(entity)
        if wanted is None:
            return None if served is entity else list(served.names)
        unknown = [name for name in wanted if name not in served.index]
        if unknown:
            raise AgentFault("UnknownColumn", f"{entity.name} has no column {unknown[0]!r:.60}")
        return list(dict.fromkeys((*entity.key, *wanted)))

    def _check_locks(self, table: Table, rows: Sequence[bytes]) -> None:
        """Raises AgentFault RecordLocked when somebody edits one of these rows."""
        for entity, key in self._conduct.locked:
            if entity == table.entity.name and _holds(table, key, rows):
                raise SoapFault(code="RecordLocked").fault()

    def _server_time(self) -> str:
        if self._conduct.server_time:
            return self._conduct.server_time
        told = self._model.company().clock() + timedelta(seconds=self._conduct.server_skew_s)
        return told.isoformat(timespec="seconds")


def _holds(table: Table, key: Sequence[str], rows: Sequence[bytes]) -> bool:
    try:
        return table.packed(key) in rows
    except ModelError:  # no file could hold such a key, so nobody edits it
        return False
