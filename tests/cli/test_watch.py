"""Progress: bars on a terminal, lines now and then anywhere else."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from connector.cli.watch import COMPARING, PlainLines, watching


def test_lines_come_now_and_then() -> None:
    """Without a terminal a line is written every few seconds at most, and the last figures."""
    time_s = 0.0
    written: list[str] = []
    lines = PlainLines(written.append, clock=lambda: time_s)
    lines.poll("ABC", "AR_Customer", 500)
    lines.poll("ABC", "AR_Customer", 1000)
    assert written == []
    time_s = 6.0
    lines.poll("ABC", "AR_Customer", 1500)
    assert written == ["read ABC AR_Customer: 1,500 rows"]
    lines.project(10, 20)
    lines.write("companies", 100, 900)
    lines.close()
    assert written[1:] == [
        "decide: 10 of 20 events",
        "write companies: 100 done, 900 pending",
    ]


def test_what_moved_last_is_said_last() -> None:
    """Lines stand in the order of what they tell: a total that moves on goes behind the others."""
    written: list[str] = []
    lines = PlainLines(written.append, clock=lambda: 0.0)
    lines.project(1, 9)
    lines.poll("ABC", "AR_Customer", 500)
    lines.project(9, 9)
    lines.close()
    assert written == ["read ABC AR_Customer: 500 rows", "decide: 9 of 9 events"]
    lines.project(10, 10)
    lines.close()
    assert len(written) == 2, "nobody is watching any more"


def test_a_failure_is_told_after_what_was_done() -> None:
    """What had moved before something failed is said all the same, before the error is."""
    stream = io.StringIO()
    with pytest.raises(ValueError), watching(Console(file=stream)) as progress:  # noqa: PT012
        progress.poll("ABC", "AR_Customer", 500)
        raise ValueError
    assert stream.getvalue() == "read ABC AR_Customer: 500 rows\n"


def test_what_is_done_soon_needs_no_line() -> None:
    """A comparison has its own words, names no end that it does not know; a short one is silent."""
    written: list[str] = []
    time_s = 0.0
    lines = PlainLines(written.append, clock=lambda: time_s, words=COMPARING)
    lines.project(1, 9)
    time_s = 5.0
    lines.write("companies", 1000, 0)
    lines.project(9, 9)
    lines.close()
    assert written == ["read the log: 1 of 9 events", "compare companies: 1,000 done"]


def test_a_pipe_gets_lines() -> None:
    """Where output is no terminal there are no control characters."""
    stream = io.StringIO()
    with watching(Console(file=stream, force_terminal=False)) as progress:
        progress.write("contacts", 1, 2)
    assert stream.getvalue() == "write contacts: 1 done, 2 pending\n"


def test_a_terminal_gets_bars() -> None:
    """On a terminal each thing that moves has a bar, and all of them are gone at the end."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100)
    with watching(console) as progress:
        progress.poll("ABC", "AR_Customer", 500)
        progress.project(5, 10)
        progress.write("companies", 1, 2)
    with watching(console, COMPARING) as progress:
        progress.write("contacts", 1000, 0)
    text = stream.getvalue()
    assert "compare contacts" in text
    assert "1000/?" in text
    assert "read  ABC AR_Customer" in text
    assert "5/10" in text
    assert "write companies" in text
