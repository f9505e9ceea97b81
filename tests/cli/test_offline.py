"""Reports need the store and nothing else: no secret, no end, no right to write the log."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.command import shell
from tests.cli.conftest import Bench
from tests.config.sample import TEXT

SECRETS = ("SAGE100_PASSWORD", "SAGE100_API_KEY", "HUBSPOT_TOKEN")


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["history", "ABC:01-ABF"],
        ["parked"],
        ["plan"],
        ["verify"],
        ["proof"],
        ["rehearse"],
        ["rebuild", "--verify"],
        ["replay", "--object", "vendors", "--dry-run"],
        ["undo", "--lift", "--dry-run"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_report_needs_no_secret(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """What opens no end says the same with the secrets in the environment and without."""
    assert bench.command("run", "--once").code == 0
    before = bench.command(*arguments)
    for name in SECRETS:
        monkeypatch.delenv(name)
    ended = bench.command(*arguments)
    assert (ended.code, ended.err.count("is not set")) == (before.code, 0), ended.err


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (["run", "--once"], SECRETS),
        (["check"], SECRETS),
        (["setup"], SECRETS),
        (["proof", "--live"], ["HUBSPOT_TOKEN"]),
        (["reconcile"], ["HUBSPOT_TOKEN"]),
    ],
    ids=lambda value: value[0],
)
def test_who_opens_an_end_needs_its_secrets(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, arguments: list[str], missing: list[str]
) -> None:
    """A missing secret ends with 2 before anything is asked, naming every one that is wanted."""
    assert bench.command("run", "--once").code == 0
    calls = bench.at_the_site(bench.site.hubspot_calls)
    for name in SECRETS:
        monkeypatch.delenv(name)
    ended = bench.command(*arguments, "--json")
    assert ended.code == 2
    what = ended.json()["error"]["what"]
    assert [name for name in SECRETS if f"{name} is not set" in what] == list(missing)
    assert bench.at_the_site(bench.site.hubspot_calls) == calls


REPORTS = (
    ["status"],
    ["history", "ABC:01-ABF"],
    ["parked"],
    ["plan"],
    ["rehearse"],
    ["replay", "--object", "vendors", "--dry-run"],
    ["erase", "ABC:01-ABF", "--dry-run"],
)


@pytest.mark.parametrize("arguments", REPORTS, ids=lambda arguments: arguments[0])
def test_no_report_of_an_imported_log_shows_zeros(
    bench: Bench, tmp_path: Path, arguments: list[str]
) -> None:
    """Whichever comes first after an import says what it said of the store that was exported."""
    assert bench.command("run", "--once").code == 0
    before = bench.command(*arguments)
    assert bench.command("export", tmp_path / "log.jsonl").code == 0
    text = bench.site.config_path.read_text(encoding="utf-8")
    bench.site.config_path.write_text(
        text.replace("sqlite:///events.db", "sqlite:///moved.db"), encoding="utf-8"
    )
    assert bench.command("import", tmp_path / "log.jsonl").code == 0
    ended = bench.command(*arguments)
    time = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z|moved\.db|events\.db")
    assert (ended.code, time.sub("", ended.out)) == (before.code, time.sub("", before.out))


@pytest.mark.parametrize(
    "token", ["pat-na1\nX-Other: 1", "pat-na1-\x07", "pat-na1-\N{LATIN SMALL LETTER E WITH ACUTE}"]
)
def test_a_token_that_no_request_can_carry(tmp_path: Path, token: str) -> None:
    """Neither a traceback nor a 401: exit code 2, where it came from, and nothing of it shown."""
    (tmp_path / "ml-connector.toml").write_text(TEXT)
    ended = shell(
        tmp_path,
        "run",
        "--once",
        env={"SAGE100_PASSWORD": "p", "SAGE100_API_KEY": "k", "HUBSPOT_TOKEN": token},
    )
    assert ended.code == 2
    assert "hubspot.token: the environment variable HUBSPOT_TOKEN holds" in ended.err
    assert "Traceback" not in ended.err
    assert "pat-na1" not in ended.err


def test_a_folder_in_which_sqlite_cannot_work(bench: Bench) -> None:
    """The store is named, with the files that SQLite keeps beside it and who may use them."""
    assert bench.command("run", "--once").code == 0
    store = bench.site.config().store.file
    assert store is not None
    # As for a user who may not write there; the tests may run as one who may everything.
    store.with_name(f"{store.name}-wal").mkdir()
    ended = bench.command("status", "--json")
    assert ended.code == 1
    error = ended.json()["error"]
    assert f"{store} cannot be opened by this user" in error["what"]
    assert f"{store.name}-shm" in error["what"]
    assert "as the user of the service" in error["remedy"]
