"""How fast the log is projected, beside the eventsourcing library and bare sqlite3.

    python -m tests.bench.bench_projection [--events N] [--repeat R] [--dir DIR]

The same source records (615 bytes of JSON each) are read from a log, decoded, mapped, compared
with what is known, and the resulting command, the new state and the consumer's place are committed
(synchronous=FULL). Ours does it a page at a time, the eventsourcing library one event and its
tracking record per transaction, as its process recorder is made to; bare sqlite3 a page at a time
and without a hash chain, upcasting, streams' versions or work lists. Contenders take turns on fresh
databases. Exits 1 when the bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from eventsourcing import persistence
from eventsourcing.sqlite import SQLiteDatastore, SQLiteProcessRecorder

from connector import collector
from connector.projector import Projector
from connector.rebuild import all_tables
from eventstore import NewEvent, open_store
from projections import events, keys
from projections.mapping import compiled

PAYLOAD_BYTES = 615
PAGE = 500
BAR = 25_000 / 4_367  # ours must reach / the library, measured on one machine


def record(number: int) -> bytes:
    """One vendor as Sage 100 shows it, PAYLOAD_BYTES of JSON."""
    row = {
        "APDivisionNo": "00",
        "VendorNo": f"V{number:06}",
        "VendorName": f"Vendor {number} & Sons",
        "AddressLine1": f"{number} Main Street",
        "City": "Chicago",
        "State": "IL",
        "ZipCode": "60601",
        "CountryCode": "USA",
        "TelephoneNo": "(312) 555-1212",
        "EmailAddress": f"ap@vendor{number}.com",
        "TermsCode": "30",
        "VendorStatus": "A",
        "LastPurchaseDate": "20261104",
        "LastPaymentDate": "20261101",
        "DateUpdated": "20261121",
        "TimeUpdated": "8.49238",
        "Comment": "",
    }
    key = ["00", row["VendorNo"]]
    spare = PAYLOAD_BYTES - len(events.encode(events.RecordObserved(key, row, "f" * 32, "s")))
    row["Comment"] = "x" * spare
    return events.encode(events.RecordObserved(key, row, "f" * 32, "s"))


async def ours(folder: Path, records: list[bytes]) -> float:
    """Seconds to project the records, commands and rows committed."""
    text = (resources.files("projections.mapping") / "default.toml").read_text("utf-8")
    mapping = compiled.parse(text)
    activated = events.MappingActivated(mapping.digest, compiled.content(mapping))
    async with open_store(f"sqlite:///{folder / 'ours.db'}", tables=all_tables()) as store:
        await store.append([NewEvent("config/m", "MappingActivated", events.encode(activated))])
        projector = Projector(store)
        await projector.run_until_idle()
        for start in range(0, len(records), PAGE):
            await store.append(
                [
                    NewEvent(
                        keys.sage_stream("a", "ABC", "AP_Vendor", f"00-V{number:06}"),
                        "RecordObserved",
                        data,
                    )
                    for number, data in enumerate(records[start : start + PAGE], start)
                ]
            )
        done = 0
        began = time.perf_counter()
        while done < len(records):
            done += await projector.step()
        seconds = time.perf_counter() - began
        commands = await store.count("outbox_vendors")
    assert commands == len(records), "every record leads to one command"
    return seconds


def mapped(data: bytes) -> dict[str, str]:
    """What the other two make of a record: as many properties as our mapping has."""
    row = json.loads(data)["row"]
    return {name.lower(): str(value).strip() for name, value in row.items()}


def library(folder: Path, records: list[bytes]) -> float:
    """Seconds of the eventsourcing library's process recorder, one transaction per event."""
    datastore = SQLiteDatastore(str(folder / "library.db"))
    recorder = SQLiteProcessRecorder(datastore)
    recorder.create_table()
    ids = [uuid5(NAMESPACE_URL, f"vendor/{number}") for number in range(len(records))]
    for start in range(0, len(records), PAGE):
        recorder.insert_events(
            [
                persistence.StoredEvent(ids[number], 1, "RecordObserved", data)
                for number, data in enumerate(records[start : start + PAGE], start)
            ]
        )
    state: dict[str, dict[str, str]] = {}
    began = time.perf_counter()
    place = 1
    while notes := recorder.select_notifications(place, PAGE, topics=["RecordObserved"]):
        for note in notes:
            wanted = mapped(note.state)
            held = state.get(str(note.originator_id), {})
            changes = {name: value for name, value in wanted.items() if held.get(name) != value}
            state[str(note.originator_id)] = wanted
            command = json.dumps(changes).encode()
            recorder.insert_events(
                [persistence.StoredEvent(note.originator_id, 2, "CommandEmitted", command)],
                tracking=persistence.Tracking("source", note.id),
            )
        place = notes[-1].id + 1
    seconds = time.perf_counter() - began
    assert len(state) == len(records)
    datastore.close()
    return seconds


def bare(folder: Path, records: list[bytes]) -> float:
    """Seconds of sqlite3 alone, a page per transaction."""
    conn = sqlite3.connect(folder / "bare.db", isolation_level=None)
    conn.execute("PRAGMA journal_mode=WAL")
    conn.execute("PRAGMA synchronous=FULL")
    conn.execute("CREATE TABLE events (position INTEGER PRIMARY KEY, stream TEXT, data BLOB)")
    conn.execute("CREATE TABLE state (stream TEXT PRIMARY KEY, data BLOB)")
    conn.execute("CREATE TABLE outbox (stream TEXT PRIMARY KEY, due INTEGER)")
    conn.execute("CREATE TABLE place (position INTEGER)")
    conn.execute("INSERT INTO place VALUES (0)")
    insert = "INSERT INTO events (stream, data) VALUES (?, ?)"
    with conn:
        conn.executemany(insert, ((f"V{n}", data) for n, data in enumerate(records)))
    began = time.perf_counter()
    place = 0
    select = "SELECT position, stream, data FROM events WHERE position > ? AND position <= ?"
    while place < len(records):
        page = conn.execute(select, (place, place + PAGE)).fetchall()
        conn.execute("BEGIN IMMEDIATE")
        commands = []
        for _, stream, data in page:
            wanted = mapped(data)
            held = conn.execute("SELECT data FROM state WHERE stream = ?", (stream,)).fetchone()
            known = json.loads(held[0]) if held else {}
            changes = {name: value for name, value in wanted.items() if known.get(name) != value}
            commands.append((stream, json.dumps(changes).encode()))
        conn.executemany(insert, commands)
        conn.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", commands)
        conn.executemany("INSERT OR REPLACE INTO outbox VALUES (?, 0)", ((s,) for s, _ in commands))
        place = page[-1][0]
        conn.execute("UPDATE place SET position = ?", (place,))
        conn.execute("COMMIT")
    seconds = time.perf_counter() - began
    conn.close()
    return seconds


def main() -> int:
    """Run the contenders by turns and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--dir", type=Path, default=None)
    given = parser.parse_args()
    collector.tune()  # for all contenders, as the service does for itself
    records = [record(number) for number in range(given.events)]
    contenders: dict[str, Callable[[Path], float]] = {
        "ours": lambda folder: asyncio.run(ours(folder, records)),
        "eventsourcing": lambda folder: library(folder, records),
        "sqlite3": lambda folder: bare(folder, records),
    }
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(given.repeat):
        for name, run in contenders.items():
            gc.collect()
            with tempfile.TemporaryDirectory(dir=given.dir) as folder:
                rates[name].append(given.events / run(Path(folder)))
    median = {name: statistics.median(found) for name, found in rates.items()}
    # Of each round by itself: within one the machine is nearly the same to all.
    ratio, against = (
        statistics.median(mine / theirs for mine, theirs in zip(rates["ours"], other, strict=True))
        for other in (rates["eventsourcing"], rates["sqlite3"])
    )
    print(f"projection with effects committed, {given.events:,} events, median of {given.repeat}")
    for name, rate in median.items():
        print(f"  {name:15} {rate:>9,.0f} events/s")
    print(f"  ours / eventsourcing {ratio:.2f} (bar {BAR:.2f})   ours / sqlite3 {against:.2f}")
    return 0 if ratio >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
