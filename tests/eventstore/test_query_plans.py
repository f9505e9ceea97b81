"""Every question to the database is answered through an index, however large the log grows."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from eventstore import Table, database
from eventstore.statements import QUERIES, marks
from eventstore.tables import Tables

EVENTS_BY_PLACE = "events_by_stream (<expr>=? AND stream_id=?"
STREAMS_BY_NAME = "sqlite_autoindex_streams_1"

PLANS = {
    "stream_heads": [f"COVERING INDEX {STREAMS_BY_NAME}", f"COVERING INDEX {EVENTS_BY_PLACE})"],
    "read": ["e USING INTEGER PRIMARY KEY", "s USING INTEGER PRIMARY KEY"],
    "read_types": ["e USING INTEGER PRIMARY KEY", "s USING INTEGER PRIMARY KEY"],
    "history": [STREAMS_BY_NAME, f"{EVENTS_BY_PLACE} AND version>?)"],
    "streams": [f"{STREAMS_BY_NAME} (name>? AND name<?)"],
    "locate": [STREAMS_BY_NAME, f"COVERING INDEX {EVENTS_BY_PLACE} AND version=?)"],
    "commit_of": ["INTEGER PRIMARY KEY (rowid>?)"],
    "commit_before": ["INTEGER PRIMARY KEY (rowid<?)"],
    "commits_after": ["INTEGER PRIMARY KEY (rowid>?)"],
    "chain_events": ["e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"],
    "erase_stream": [f"{EVENTS_BY_PLACE})"],
    "checkpoint": ["PRIMARY KEY (name=?)"],
    "remove": ["PRIMARY KEY (key=?)"],
    "rows": ["PRIMARY KEY (key=?)"],
    "rows_ranked": ["PRIMARY KEY (key=?)"],
    "scan": ["PRIMARY KEY (key>? AND key<?)"],
    "scan_ranked": ["PRIMARY KEY (key>? AND key<?)"],
    "due": ["i_jobs_rank (rank<?)"],
    "next_rank": ["COVERING INDEX i_jobs_rank"],
    "count": ["PRIMARY KEY (key>? AND key<?)"],
    # The walk from the newest commit backwards is meant; it ends at the first that fits.
    "head": ["SCAN commits"],
    "position_at": ["SCAN commits"],
}
NO_PLAN = {"insert_streams", "insert_events", "insert_commits", "move_checkpoint", "put"}
NO_PLAN |= {"restore_events"}
NO_PLAN |= {"put_ranked", "clear", "last_stream_id", "event_bounds", "adopt", "table_columns"}
RANKED = {"due", "next_rank", "rows_ranked", "scan_ranked"}


@pytest.mark.parametrize("section", PLANS)
def test_a_query_uses_its_index(tmp_path: Path, section: str) -> None:
    """The plan names the index, and nothing is sorted on the side."""
    path = tmp_path / "plans.db"
    database.create(path)
    conn = database.connect_writer(path)
    try:
        Tables([Table("items"), Table("jobs", ranked=True)]).prepare(conn, create=True)
        conn.create_function("payload_digest", 2, lambda _salt, _data: b"")
        sql = QUERIES[section].replace("{marks}", marks(3))
        sql = sql.replace("{table}", "jobs" if section in RANKED else "items")
        plan = _plan(conn, sql)
    finally:
        conn.close()
    for part in PLANS[section]:
        assert part in plan
    # One stream's events come from several segments of the log and are put in order at the end.
    assert "TEMP B-TREE" not in plan or section == "history"
    if section not in {"head", "position_at"}:
        # What is gone through whole is the list of segments, one for 131,072 events.
        scanned = [line for line in plan.splitlines() if line.startswith("SCAN")]
        assert set(scanned) <= {"SCAN CONSTANT ROW", "SCAN segments", "SCAN g"}


def test_every_query_is_looked_at() -> None:
    """A new query needs a line here, or a place among those that have no plan to speak of."""
    assert set(QUERIES) == set(PLANS) | NO_PLAN


def _plan(conn: sqlite3.Connection, sql: str) -> str:
    rows = conn.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?"))
    return "\n".join(row[3] for row in rows)
