"""What holds for every test: nothing is skipped unless its reason is on the list below.

A skipped test proves nothing and looks green. So a run with a skip that nobody has allowed here
fails, and says which one it was.
"""

from __future__ import annotations

from typing import Final

import pytest

ALLOWED_SKIPS: Final[frozenset[str]] = frozenset()
"""Reasons, word for word, for which a test may be skipped."""


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str | None:
    """Why the report was a skip; None when it was none (an expected failure is none)."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return None
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


class SkipGuard:
    """Notes skips as their reports come in, from this process or from xdist's workers."""

    def __init__(self) -> None:
        self.unexpected: list[str] = []

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        reason = reason_of(report)
        if reason is not None and reason not in ALLOWED_SKIPS:
            self.unexpected.append(f"{report.nodeid}: {reason}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a skipped test."""
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a skipped module."""
        self._note(report)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A run that would have been good fails when something was skipped."""
        if self.unexpected and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name what was skipped without leave."""
        if self.unexpected:
            terminalreporter.section("skipped without leave", red=True)
            for line in self.unexpected:
                terminalreporter.line(line)


def pytest_configure(config: pytest.Config) -> None:
    """Put the guard in place."""
    config.pluginmanager.register(SkipGuard(), "skip-guard")
