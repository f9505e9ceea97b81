"""A database connection on its own thread, on which whole functions run, one after the other.

aiosqlite runs one statement per await; three awaits are not a transaction, since another task's
statement may land between them. Here the unit is a function: it gets the bare `sqlite3` connection,
runs on the connection's thread from beginning to end, and nothing comes between. aiosqlite has no
public call for that, so `_execute` and `_conn` are used; a contract test fails when they move.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from typing import Concatenate, ParamSpec, TypeVar, cast

import aiosqlite

from .errors import EventStoreError, StoreClosed, StoreDamaged, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

_JOIN_S = 5.0  # the thread has already said that it ends; only a stuck interpreter takes longer


class Connection:
    """One connection and its thread. Open with `Connection.open`, close with `aclose`."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, connector: Callable[[], sqlite3.Connection]) -> Connection:
        """Start the thread and call `connector` on it; what that raises ends the thread."""
        connection = aiosqlite.Connection(connector, iter_chunk_size=64)
        try:
            await connection
        except sqlite3.Error as error:
            raise explain(error) from error
        finally:
            if not connection._running:  # noqa: SLF001 - the connector failed
                connection._thread.join(_JOIN_S)  # noqa: SLF001
        return cls(connection)

    async def run(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `function(conn, *args)` on the thread. sqlite3's errors come out as the store's.

        Cancelling the caller does not stop the function: it runs to its end, unheard.
        """

        # A closure, because aiosqlite logs what it runs, and a partial's repr shows its arguments.
        def job(conn: sqlite3.Connection) -> T:
            return function(conn, *args, **kwargs)

        connection = self._connection
        try:
            result = await connection._execute(job, connection._conn)  # type: ignore[no-untyped-call]  # noqa: SLF001
        except sqlite3.Error as error:
            raise explain(error) from error
        except ValueError as error:
            if connection._running and connection._connection is not None:  # noqa: SLF001
                raise
            raise StoreClosed from error
        return cast("T", result)

    async def aclose(self) -> None:
        """Let what is queued finish, close the connection, end the thread. Idempotent."""
        await self._connection.close()
        self._connection._thread.join(_JOIN_S)  # noqa: SLF001


@contextlib.contextmanager
def one_view(conn: sqlite3.Connection) -> Iterator[None]:
    """What is read inside is of one moment; of the moment of opening when the store is steady."""
    if conn.in_transaction:
        yield
        return
    conn.execute("BEGIN")
    try:
        yield
    finally:
        conn.execute("COMMIT")


def explain(error: sqlite3.Error) -> EventStoreError:
    """The store's error for one of sqlite3's, saying what to do about it."""
    code = getattr(error, "sqlite_errorname", "") or type(error).__name__
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return StoreDamaged(f"the database file is damaged ({error}): restore it from a backup")
    if code.startswith("SQLITE_FULL"):
        return Unavailable(f"the disk is full ({error}): make room, then try again")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Unavailable(f"another program holds the database ({error}): close it")
    if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_IOERR")):
        return Unavailable(
            f"the database file cannot be used ({error}, {code}): check its permissions and disk"
        )
    return EventStoreError(f"the database refused ({code}: {error})")
