"""Read-model tables: key to bytes, beside the log, so that rows commit with the events behind them.

A table is declared when the store is opened and becomes a physical table `t_<name>`. Keys are text
in the order of their UTF-8 bytes. A reader makes no tables; one that no writer has made yet holds
nothing for it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from .errors import BadTable, InvalidAppend, UnknownTable
from .statements import AS_BLOB, QUERIES, SCHEMA, Many, prefix_range
from .types import Adopt, Clear, Put, Remove, Row, Table, Write

_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_COLUMNS = {False: ["key", "value"], True: ["key", "rank", "value"]}


class _Statements:
    """The SQL of one declared table."""

    def __init__(self, table: Table) -> None:
        self.ranked = table.ranked
        self.name = table.name
        suffix = "_ranked" if table.ranked else ""
        self.put = Many(self.sql("put" + suffix), width=3 if table.ranked else 2)
        self.rows = Many(self.sql("rows" + suffix))
        self.remove = Many(self.sql("remove"))
        self.clear = self.sql("clear")
        self.scan = self.sql("scan" + suffix)
        self.count = self.sql("count")
        self.due = self.sql("due")
        self.next_rank = self.sql("next_rank")

    def sql(self, section: str) -> str:
        return QUERIES[section].replace("{table}", self.name)


class Tables:
    """The declared tables of one open store: made, written and read."""

    def __init__(self, declared: Sequence[Table]) -> None:
        self._tables: dict[str, _Statements] = {}
        self._not_made: set[str] = set()  # a reader's: by no writer, when last looked for
        for table in declared:
            if not _NAME.fullmatch(table.name):
                raise BadTable(f"table name {table.name!r}: use lower case letters, digits and _")
            if table.name in self._tables:
                raise BadTable(f"table {table.name!r} is declared twice")
            self._tables[table.name] = _Statements(table)

    def prepare(self, conn: sqlite3.Connection, *, create: bool) -> None:
        """Look at every table. Raises BadTable when one is there with another shape.

        `create`: make what is missing; else it is empty until a writer has made it.
        """
        for table in self._tables.values():
            if create:
                section = "create_ranked_table" if table.ranked else "create_table"
                conn.execute(SCHEMA[section].replace("{table}", table.name))
            if not self._is_made(conn, table):
                self._not_made.add(table.name)
            elif create and table.ranked:
                conn.execute(SCHEMA["create_rank_index"].replace("{table}", table.name))

    def _is_made(self, conn: sqlite3.Connection, table: _Statements) -> bool:
        columns = [name for (name,) in conn.execute(QUERIES["table_columns"], (f"t_{table.name}",))]
        if columns and columns != _COLUMNS[table.ranked]:
            ranked = "ranked" if table.ranked else "not ranked"
            raise BadTable(
                f"table {table.name!r} is declared {ranked}, the store holds it otherwise: "
                "declare it under a new name"
            )
        return bool(columns)

    def check(self, writes: Iterable[Write]) -> None:
        """Raises UnknownTable, or InvalidAppend for an Adopt between tables of different kinds."""
        for write in writes:
            table = self.table(write.table)
            if isinstance(write, Adopt):
                source = self.table(write.source)
                if source.ranked != table.ranked or source is table:
                    raise InvalidAppend(
                        f"table {write.table!r} cannot adopt {write.source!r}: "
                        "they must be two tables of the same kind"
                    )

    def write(self, conn: sqlite3.Connection, write: Write) -> None:
        """Carry out one write inside the open transaction."""
        table = self.table(write.table)
        if isinstance(write, Put):
            table.put.run(conn, _flat(table, write.rows))
        elif isinstance(write, Remove):
            table.remove.run(conn, list(write.keys))
        elif isinstance(write, Clear):
            conn.execute(table.clear)
        else:
            source = self.table(write.source)
            conn.execute(table.clear)
            conn.execute(table.sql("adopt").replace("{source}", source.name))
            conn.execute(source.clear)

    def table(self, name: str, *, ranked: bool = False) -> _Statements:
        """A declared table. Raises UnknownTable, also when it must be ranked and is not."""
        try:
            table = self._tables[name]
        except KeyError:
            raise UnknownTable(
                f"table {name!r} was not declared when the store was opened"
            ) from None
        if ranked and not table.ranked:
            raise UnknownTable(f"table {name!r} has no rank: declare it with ranked=True")
        return table

    def _empty(self, conn: sqlite3.Connection, table: _Statements) -> bool:
        """Whether the table is not made yet: then it has no rows."""
        if table.name not in self._not_made:
            return False
        if self._is_made(conn, table):
            self._not_made.remove(table.name)
            return False
        return True

    def rows(
        self, conn: sqlite3.Connection, keys: Mapping[str, Collection[str]]
    ) -> dict[str, dict[str, Row]]:
        """Rows by key, of several tables."""
        found: dict[str, dict[str, Row]] = {}
        for name, wanted in keys.items():
            table = self.table(name)
            rows = [] if self._empty(conn, table) else table.rows.select(conn, list(wanted))
            found[name] = {row[0]: Row(*row) for row in rows}
        return found

    def scan(
        self, conn: sqlite3.Connection, name: str, prefix: str, after: str, limit: int
    ) -> list[Row]:
        """Rows by prefix, ascending by key."""
        table = self.table(name)
        if self._empty(conn, table):
            return []
        sql = table.scan
        bounds = prefix_range(prefix, after)
        return [Row(*row) for row in conn.execute(sql, (*bounds, limit))]

    def scan_many(
        self, conn: sqlite3.Connection, name: str, prefixes: Collection[str], limit: int | None
    ) -> dict[str, list[Row]]:
        """All rows of each prefix, or so many."""
        most = -1 if limit is None else limit
        return {prefix: self.scan(conn, name, prefix, "", most) for prefix in prefixes}

    def due(self, conn: sqlite3.Connection, name: str, upto: int, limit: int) -> list[Row]:
        """Rows of a ranked table up to a rank, lowest first."""
        table = self.table(name, ranked=True)
        if self._empty(conn, table):
            return []
        sql = table.due
        return [Row(*row) for row in conn.execute(sql, (upto, limit))]

    def next_rank(self, conn: sqlite3.Connection, name: str) -> int | None:
        """The lowest rank of a ranked table."""
        table = self.table(name, ranked=True)
        if self._empty(conn, table):
            return None
        rank: int | None = conn.execute(table.next_rank).fetchone()[0]
        return rank

    def count(self, conn: sqlite3.Connection, name: str, prefix: str) -> int:
        """How many rows have this prefix."""
        table = self.table(name)
        if self._empty(conn, table):
            return 0
        count: int = conn.execute(table.count, prefix_range(prefix)).fetchone()[0]
        return count

    def counts(
        self, conn: sqlite3.Connection, name: str, prefixes: Collection[str]
    ) -> dict[str, int]:
        """How many rows have each prefix."""
        return {prefix: self.count(conn, name, prefix) for prefix in prefixes}


def _flat(table: _Statements, rows: Sequence[Row]) -> list[Any]:
    values: list[Any] = []
    if table.ranked:
        for row in rows:
            values += (row.key, row.rank, AS_BLOB + row.value)
        return values
    for row in rows:
        if row.rank is not None:
            raise InvalidAppend(f"table {table.name!r} has no rank, row {row.key!r} has one")
        values += (row.key, AS_BLOB + row.value)
    return values
