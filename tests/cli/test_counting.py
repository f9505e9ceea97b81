"""How far a long piece of work is: lines now and then, a bar on a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from connector.cli.counting import counting


def test_lines_now_and_then() -> None:
    """Without a terminal a line comes every few seconds, with the total where one is known."""
    out = io.StringIO()
    now = 0.0
    with counting(Console(file=out, width=80), "verified", clock=lambda: now) as count:
        for done in range(0, 4_000, 1_000):
            count(done, 3_000)
        now = 6.0
        count(1_500, 3_000)
        count(1_600, 3_000)
        now = 12.0
        count(2_500, 0)
    assert out.getvalue().splitlines() == ["verified: 1,500 of 3,000", "verified: 2,500"]


def test_a_bar_on_a_terminal() -> None:
    """On a terminal a bar moves and is gone when the work is done."""
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True)
    with counting(console, "exported") as count:
        count(5, 10)
        count(10, 10)
    assert "exported" in out.getvalue()
    assert "10/10" in out.getvalue()
