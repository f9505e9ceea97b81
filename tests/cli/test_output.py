"""What reaches the operator's terminal."""

from __future__ import annotations

import contextlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.cli import output
from tests.cli.command import inside


def test_text_from_outside_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """Control and direction characters from a customer's name are shown as replaced."""
    output.show(output.table("", ["name"], [["\x1b[2J\u202eEvil\x07"]]))
    output.say("\x1b]0;title\x07")
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "Evil" in text


STEERING = "\x7f\x85\x9b\u061c\u200e\u200f\u2028\u2029\u202e\u2066\u2069"


def test_no_text_steers_a_document_either(capsys: pytest.CaptureFixture[str]) -> None:
    """What a document holds comes back whole, and nothing in it moves a cursor or turns a line."""
    name = f"\x1b[2J{STEERING}Müller \U0001f600"
    output.document({"name": name, STEERING: [name]})
    text = capsys.readouterr().out
    assert json.loads(text) == {"name": name, STEERING: [name]}
    assert not set(STEERING + "\x1b") & set(text)
    assert "Müller" in text
    output.say(STEERING)
    output.note(STEERING)
    told = capsys.readouterr()
    assert not set(STEERING) & set(told.out + told.err)


@given(st.text())
def test_a_document_says_what_it_was_given(text: str) -> None:
    """Whatever the text, reading the document gives it back."""
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        output.document([text])
    assert json.loads(stream.getvalue()) == [text]


def test_markup_in_text_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets in a value are shown, not understood."""
    output.show(output.table("", ["name"], [["[bold]A[/bold] [sage100]"]]))
    assert "[bold]A[/bold] [sage100]" in capsys.readouterr().out


def test_no_color(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR is respected even where colour is forced."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    output.failure("wrong", where="here", remedy="this")
    assert "\x1b[31" not in capsys.readouterr().err


def test_an_error_says_what_where_and_the_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors go to standard error without a traceback; with --json also as a document."""
    monkeypatch.delenv("ML_CONNECTOR_CONFIG", raising=False)
    ended = inside(capsys, "--config", "does-not-exist.toml", "verify", "--json")
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert "error: there is no such configuration file" in ended.err
    assert "where:  does-not-exist.toml" in ended.err
    assert "remedy: 'ml-connector init'" in ended.err
    assert ended.json()["error"]["where"] == "does-not-exist.toml"


@pytest.mark.parametrize("arguments", [["nonsense"], ["verify", "--nonsense"], ["sandbox", "x"]])
def test_usage(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """A command line that cannot be understood ends with 2."""
    ended = inside(capsys, *arguments)
    assert (ended.code, ended.out) == (2, "")


def test_a_document_also_tells_of_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json standard output holds the document also when the command line is wrong."""
    ended = inside(capsys, "status", "--json", "--nonsense")
    assert ended.code == 2
    assert "--nonsense" in ended.json()["error"]["what"]
    assert ended.json()["error"]["where"] == "ml-connector status"
    assert "--nonsense" in ended.err


_HEADS = ["object", "emitted", "succeeded", "left out by hand", "pending"]
_ROWS = [["associations", 812345, 812345, 0, 1], ["a companies", 1234.5, "-", 0, 0]]


@pytest.mark.parametrize(
    ("columns", "framed", "zeros"),
    [(80, True, True), (55, True, True), (43, False, True), (38, False, False), (20, False, True)],
)
def test_no_terminal_is_too_narrow(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    framed: bool,
    zeros: bool,
) -> None:
    """Numbers and words stay whole; where it is narrow frame and zeros go; nothing is cut off."""
    monkeypatch.setenv("COLUMNS", str(columns))
    output.show(output.table("", _HEADS, _ROWS))
    text = capsys.readouterr().out
    assert all(len(line) <= columns for line in text.splitlines())
    assert text.count("812,345") == 2
    assert {"associations", "succeeded", "pending"} <= set(text.replace(",", " ").split())
    assert ("┏" in text) is framed
    assert ("0 in every line: left out by hand" not in text) is zeros


_KEY = "companies/ABC:01-MASTERNUMC0000000239"
_RECORDS = [[_KEY, "sage100_credit_limit_exceeded", "first line\n  second", 0, 12]]


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
def test_keys_and_names_can_be_copied(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """No key, no name of a property is broken over two lines, however narrow it is."""
    monkeypatch.setenv("COLUMNS", str(columns))
    output.show(output.table("", ["record", "property", "change", "held", "count"], _RECORDS))
    text = capsys.readouterr().out
    assert all(len(line) <= max(columns, len("record ,") + len(_KEY)) for line in text.splitlines())
    assert {_KEY, "sage100_credit_limit_exceeded"} <= set(text.replace(",", " ").split())


def test_a_row_as_a_sentence_is_broken_between_cells(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no table fits the lines of a row stand in, and a cell of several lines keeps them."""
    monkeypatch.setenv("COLUMNS", "60")
    output.show(output.table("T", ["record", "property", "change", "held", "count"], _RECORDS))
    assert capsys.readouterr().out.splitlines() == [
        "T",
        f"record {_KEY},",
        "  property sage100_credit_limit_exceeded,",
        "  change first line",
        "    second",
        "  count 12",
        "0 in every line: held",
    ]


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    """--help and --version answer and end well."""
    assert inside(capsys, "--help").code == 0
    ended = inside(capsys, "--version")
    assert ended.code == 0
    assert ended.out.startswith("ml-connector ")
