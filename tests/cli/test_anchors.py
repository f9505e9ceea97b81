"""Anchors: what is published, where to, and what is told when that fails."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import stat
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector import anchors
from connector.config.settings import AnchorSettings
from eventstore import EventStore, NewEvent, open_store
from tests.config.sample import TEXT, load, only_problem
from tests.e2e.waiting import until

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EventStore]:
    """A store with one event."""
    async with open_store(f"sqlite:///{tmp_path / 'events.db'}") as opened:
        await opened.append([NewEvent("a", "T", b"{}")])
        yield opened


def program(folder: Path, text: str) -> tuple[str, ...]:
    """A command that runs this text as a Python program."""
    path = folder / "program.py"
    path.write_text(text, encoding="utf-8")
    return (sys.executable, str(path))


async def published(store: EventStore, settings: AnchorSettings) -> int:
    """Publish at noon."""
    return await anchors.publish(store, settings, now=lambda: NOON)


async def test_a_file_only_grows(store: EventStore, tmp_path: Path) -> None:
    """Each anchor is one line at the end: position, digest, time; nobody else may read the file."""
    file = tmp_path / "anchors.jsonl"
    settings = AnchorSettings(file=file)
    first = await store.head()
    assert await published(store, settings) == 1
    await store.append([NewEvent("a", "T", b"{}"), NewEvent("b", "T", b"{}")])
    assert await anchors.publish(store, settings, published=1, now=lambda: NOON) == 3
    assert await anchors.publish(store, settings, published=3, now=lambda: NOON) == 3
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines[0] == {"head": 1, "hash": first.digest.hex(), "at": "2026-11-22T12:00:00Z"}
    assert [line["head"] for line in lines] == [1, 3]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [anchor.head for anchor in anchors.read_published(file).anchors] == [1, 3]


async def test_a_torn_line_swallows_no_other(store: EventStore, tmp_path: Path) -> None:
    """What a full disk or a crash left of a line is passed over, and the next anchor is whole."""
    file = tmp_path / "anchors.jsonl"
    settings = AnchorSettings(file=file)
    assert await published(store, settings) == 1
    whole = file.read_bytes()
    for cut in (1, 30, len(whole) - 1):
        file.write_bytes(whole + whole[:cut])
        await store.append([NewEvent("a", "T", b"{}")])
        last = await anchors.publish(store, settings, published=1, now=lambda: NOON)
        found = anchors.read_published(file)
        assert [one.head for one in found.anchors] == ([1, last] if cut < 99 else [1, 1, last])
        assert found.skipped == ([2] if cut < 99 else [])


async def test_modes_are_put_right(store: EventStore, tmp_path: Path) -> None:
    """A file that others could read, for instance one that was put back, is so no longer."""
    file = tmp_path / "anchors.jsonl"
    file.touch()
    file.chmod(0o644)
    assert await published(store, AnchorSettings(file=file)) == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_program_gets_the_line_and_no_secrets(
    store: EventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program gets the anchor on standard input, and of the environment what is harmless."""
    monkeypatch.setenv("HUBSPOT_TOKEN", "a-secret-token")
    out = tmp_path / "out"
    command = program(
        tmp_path,
        "import os, sys\n"
        "open(sys.argv[1], 'w').write(sys.stdin.read() + repr(sorted(os.environ.values())))",
    )
    settings = AnchorSettings(command=(*command, str(out)))
    assert await anchors.publish(store, settings, now=lambda: NOON, env=os.environ) == 1
    line, _, environment = out.read_text().partition("\n")
    assert json.loads(line)["head"] == 1
    assert "a-secret-token" not in environment


FAILING = {
    "import sys; sys.exit('the lock\\nis broken')": "it ended with 1: the lock is broken",
    "import sys; sys.stderr.write('x' * 10**6); sys.exit(3)": "it ended with 3: " + "x" * 2_000,
    "import sys; sys.stdin.close()": "",
    "import time\ntime.sleep(600)": "it did not end within",
    "import os, time\nif os.fork(): os._exit(0)\ntime.sleep(600)": "it did not end within",
}


@pytest.mark.parametrize("text", FAILING)
async def test_a_failing_program_is_told_and_stopped(
    store: EventStore, tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    """What the program says is logged, shortened; one that does not end is killed with its kin."""
    settings = AnchorSettings(command=program(tmp_path, text), timeout=timedelta(seconds=2))
    caplog.set_level(logging.ERROR)
    assert await published(store, settings) == (-1 if FAILING[text] else 1)
    told = " ".join(record.getMessage() for record in caplog.records)
    assert FAILING[text] in told
    assert len(told) < 2_500


async def test_places_that_cannot_be_used(
    store: EventStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file without a folder and a program that is not there are logged; neither stops the other,
    and the next time it is tried again.
    """
    caplog.set_level(logging.ERROR)
    settings = AnchorSettings(file=tmp_path / "none" / "anchors", command=("/nonexistent/program",))
    assert await published(store, settings) == -1
    told = [record.getMessage() for record in caplog.records]
    assert "anchors: it cannot be appended: No such file or directory" in told[0]
    assert "/nonexistent/program: it cannot be started" in told[1]
    (tmp_path / "none").mkdir()
    assert await published(store, AnchorSettings(file=tmp_path / "none" / "anchors")) == 1


async def test_on_schedule_when_the_log_has_grown(store: EventStore, tmp_path: Path) -> None:
    """The service publishes when it starts and then on schedule, only what is new, until told."""
    file = tmp_path / "anchors.jsonl"
    hours = 0

    def an_hour_later() -> datetime:
        nonlocal hours
        hours += 1
        return NOON + timedelta(hours=hours)

    stop = asyncio.Event()
    settings = AnchorSettings(schedule="1h", file=file)
    keeper = asyncio.create_task(anchors.keep(store, settings, stop, now=an_hour_later))

    def lines(count: int) -> Callable[[], bool]:
        return lambda: file.exists() and len(file.read_text().splitlines()) == count

    await until(lines(1), "the first anchor")
    seen = hours
    await until(lambda: hours > seen + 5, "some hours without news")
    assert lines(1)()
    await store.append([NewEvent("a", "T", b"{}")])
    await until(lines(2), "the second anchor")
    stop.set()
    await asyncio.wait_for(keeper, 10)


async def test_nothing_is_published_unasked(store: EventStore) -> None:
    """Without a file or a command there are no anchors, and nothing waits."""
    await asyncio.wait_for(anchors.keep(store, AnchorSettings(), asyncio.Event()), 10)


def test_what_the_configuration_says(tmp_path: Path) -> None:
    """[anchors] names a file beside the configuration, a program by its path, and when."""
    text = """
[anchors]
schedule = "30m"
file = "anchors.jsonl"
command = ["/usr/bin/logger", "-t", "ml-connector"]
timeout = "10s"
"""
    found = load(tmp_path, TEXT + text).anchors
    assert found.file == tmp_path / "anchors.jsonl"
    assert found.command == ("/usr/bin/logger", "-t", "ml-connector")
    assert (found.schedule, found.timeout) == ("30m", timedelta(seconds=10))
    assert not load(tmp_path).anchors.wanted


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('command = "logger -t x"', "anchors.command"),
        ('command = ["logger"]', "anchors.command"),
        ("command = []", "anchors.command"),
        ('file = ""', "anchors.file"),
        ('file = "anchors/"', "anchors.file"),
        ('schedule = "now and then"', "anchors.schedule"),
    ],
)
def test_what_the_configuration_may_not_say(tmp_path: Path, line: str, key: str) -> None:
    """A command line for a shell, a folder, and no schedule are refused by name."""
    assert only_problem(tmp_path, f"{TEXT}\n[anchors]\n{line}\n").key == key
