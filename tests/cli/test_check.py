"""`check` as an operator sees it: lines, notes, what could not be tried, and as a document."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connector.check import CheckLine, untried
from connector.cli.check import render
from tests.cli.conftest import Bench


def shown(capsys: pytest.CaptureFixture[str], *lines: CheckLine) -> list[str]:
    """What is printed for these lines."""
    capsys.readouterr()
    render(lines)
    return capsys.readouterr().out.splitlines()


def test_what_is_wrong_has_where_and_remedy_under_it(capsys: pytest.CaptureFixture[str]) -> None:
    """An ok line alone, a note and a wrong one with what to do; only the latter is counted."""
    assert shown(
        capsys,
        CheckLine("A DNS", True, "found"),
        CheckLine("A TLS", True, "20 days left", "Renew it."),
        CheckLine("A WSDL", False, "a page came", "Look there.", "http://a?wsdl"),
    ) == [
        "ok    A DNS: found",
        "note  A TLS: 20 days left",
        "      remedy: Renew it.",
        "WRONG A WSDL: a page came",
        "      where: http://a?wsdl",
        "      remedy: Look there.",
        "1 of 3 needs a person. Next: follow the remedies from the top, then 'ml-connector check' "
        "again.",
    ]


def test_what_comes_next_when_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    """The last line says that nothing is wrong, how many notes there are, and what to run next."""
    well = CheckLine("A DNS", True, "found")
    assert shown(capsys, well)[-1] == "All 1 are well. Next: ml-connector run --once"
    noted = CheckLine("A TLS", True, "20 days left", "Renew it.")
    told = shown(capsys, well, noted)[-1]
    assert told == "All 2 are well, 1 note among them. Next: ml-connector run --once"


def test_what_could_not_be_tried_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Steps behind a failed one are named together, with the reason once."""
    lines = [untried(f"Sage 100 acme {step}", "TLS failed") for step in ("WSDL", "time zone")]
    lines.append(untried("Sage 100 other clock", "the log-on was refused"))
    assert shown(capsys, *lines) == [
        "-     Sage 100 acme: not tried, since TLS failed: WSDL, time zone",
        "-     Sage 100 other clock: not tried, since the log-on was refused",
        "0 of 3 need a person, and 3 could not be tried. Next: follow the remedies from the top, "
        "then 'ml-connector check' again.",
    ]


def test_a_whole_check_in_words_and_as_a_document(bench: Bench) -> None:
    """Every step of both ends has its line; the document holds the same, and all the names."""
    before = bench.command("check")
    assert (before.code, "'ml-connector setup'" in before.out) == (1, True)
    assert bench.command("setup").code == 0
    ended = bench.command("check")
    assert ended.code == 0, ended.out
    assert ended.out.splitlines()[-1].endswith("Next: ml-connector run --once")
    for step in ("DNS", "connection", "Windows log-on", "API key", "WSDL", "company ABC currency"):
        assert re.search(rf"^ok    Sage 100 demo {step}: ", ended.out, re.MULTILINE), step
    assert "ok    HubSpot currencies: the account has USD" in ended.out
    document = bench.command("check", "--json").json()
    lines = {line["subject"]: line for line in document["lines"]}
    assert document["ok"] is True
    assert set(lines["Sage 100 demo WSDL"]) == {
        *("subject", "ok", "detail", "remedy", "where", "tried", "names")
    }
    blank = lines["Sage 100 demo AP_Vendor rows"]
    assert blank["ok"]


def test_the_handbook_explains_every_line(bench: Bench) -> None:
    """Each step of Sage 100's half is a line of the table on the agent's page."""
    page = (Path(__file__).parents[2] / "ops/handbook/agent.md").read_text(encoding="utf-8")
    table = page.partition("## What `check` tries")[2].partition("## ")[0].replace("*", "")
    steps = {
        re.sub(r"company ABC", "company …", re.sub(r"A[RP]_\w+ ", "entity ", step))
        for line in bench.command("check", "--json").json()["lines"]
        if (step := line["subject"].removeprefix("Sage 100 demo ")) != line["subject"]
    }
    assert "entity columns" in steps
    explained = {
        step.strip()
        for row in re.findall(r"^\| ([^|`]+) \|", table, re.MULTILINE)
        for step in [row, *re.split(", or |, ", row)]
    }
    assert steps - explained == set()
    assert {"TLS", "client certificate"} <= explained


def test_a_company_in_another_currency_is_told_by_check_setup_and_parked(bench: Bench) -> None:
    """USD portal, books in CAD: said before it happens, and in the advice of what was refused."""
    text = bench.site.config_path.read_text(encoding="utf-8")
    assert 'currency  = "USD"' in text
    bench.site.config_path.write_text(
        text.replace('currency  = "USD"', 'currency  = "CAD"'), encoding="utf-8"
    )
    made = bench.command("setup")
    assert made.code == 0
    assert "NOTE  currency CAD: the books of ABC" in made.out
    where = "Settings > Account defaults > Currency"
    assert where in made.out
    checked = bench.command("check")
    assert checked.code == 1
    assert "WRONG HubSpot currency CAD" in checked.out
    assert "the agent's is USD, configured is CAD" in checked.out
    assert bench.command("run", "--once").code == 1
    parked = bench.command("parked")
    assert where in " ".join(parked.out.split())
    assert "INVALID_OPTION" in parked.out


def test_a_refused_log_on_shows_no_secret(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in words nor in the document, and it is tried once."""
    monkeypatch.setenv("SAGE100_PASSWORD", "a-wrong-password")
    for more in ((), ("--json",)):
        before = bench.at_the_site(bench.site.agent_calls)
        ended = bench.command("check", *more)
        assert ended.code == 1
        assert "0xC000006A" in ended.out
        assert "a-wrong-password" not in ended.out + ended.err
        assert bench.at_the_site(bench.site.agent_calls) == before + 1
