"""What `--help` says of every command."""

from __future__ import annotations

import pytest
from typer.main import get_command

from connector.cli.program import app
from tests.cli.command import inside


def _helps() -> list[tuple[list[str], list[str]]]:
    """Each command's words, and every text of its help."""

    def walk(command: object, words: list[str]) -> list[tuple[list[str], list[str]]]:
        texts = [getattr(command, "help", None) or ""]
        texts += [getattr(each, "help", None) or "" for each in getattr(command, "params", [])]
        found = [(words, texts)]
        for name, below in getattr(command, "commands", {}).items():
            found += walk(below, [*words, name])
        return found

    return walk(get_command(app), [])


@pytest.mark.parametrize(("words", "texts"), _helps(), ids=lambda each: " ".join(each)[:30])
def test_help_says_every_word(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    texts: list[str],
) -> None:
    """Nothing of a help text is taken for markup and swallowed."""
    monkeypatch.setenv("COLUMNS", "500")
    shown = inside(capsys, *words, "--help").out
    for text in texts:
        for word in text.replace("\\[", "[").split():
            assert word in shown
