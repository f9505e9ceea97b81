"""A column that nobody serves is named at start and in a plan, with the one that was meant."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from tests.cli.conftest import Bench

PHONE = 'property = "phone"\nfrom = "TelephoneNo"\n'


def mapped_from(bench: Bench, column: str) -> Path:
    """The built-in mapping, with the telephone number taken from this column."""
    text = (resources.files("projections.mapping") / "default.toml").read_text("utf-8")
    assert PHONE in text
    path = bench.site.config_path.parent / "mapping.toml"
    path.write_text(text.replace(PHONE, PHONE.replace("TelephoneNo", column), 1), encoding="utf-8")
    return path


def add(bench: Bench, text: str) -> None:
    """Lines at the end of the configuration, which is in [hubspot]."""
    old = bench.site.config_path.read_text(encoding="utf-8")
    bench.site.config_path.write_text(old + text, encoding="utf-8")


def test_a_mapping_that_names_a_column_nobody_serves(bench: Bench) -> None:
    """`run --once` says so once, before and after the first pass; `plan` with each plan."""
    path = mapped_from(bench, "TelephonNo")
    add(bench, f'mapping = "{path}"\n')
    ended = bench.command("run", "--once")
    assert ended.code == 0
    said = '[companies] property "phone": Sage 100 has no column TelephonNo of AR_Customer'
    assert ended.err.count(said) == 1
    assert 'did you mean "TelephoneNo"?' in ended.err
    told = said.replace("Sage 100 has", "the agent serves")
    assert ended.err.count(told) == 1
    assert told in bench.command("plan").out
    [warning] = bench.command("plan", "--json").json()["warnings"]
    assert told in warning
    assert (
        bench.command("plan", "--mapping", mapped_from(bench, "TelephoneNo"), "--json").json()[
            "warnings"
        ]
        == []
    )


def test_a_site_s_own_column_that_the_agent_lacks(bench: Bench) -> None:
    """A UDF_ column may be there: that it is not is known once the agent has been read."""
    path = mapped_from(bench, "UDF_PHONE")
    add(bench, f'mapping = "{path}"\n')
    ended = bench.command("run", "--once")
    assert "Sage 100 has no column" not in ended.err
    assert "the agent serves no column UDF_PHONE of AR_Customer" in ended.err


def test_a_name_of_a_column_that_nobody_has(bench: Bench) -> None:
    """[sage100.columns]: a name that is not Sage 100's is told; a column that is served is not."""
    text = bench.site.config_path.read_text(encoding="utf-8")
    named = '[sage100.columns]\nCustomrName = "Name"\nFaxNo = "Facsimile"\n\n[hubspot]'
    bench.site.config_path.write_text(text.replace("[hubspot]", named), encoding="utf-8")
    ended = bench.command("run", "--once")
    assert "[sage100.columns] CustomrName: Sage 100 has no column of that name" in ended.err
    assert 'did you mean "CustomerName"?' in ended.err
    assert '[sage100.columns] CustomrName: the agent has no column "Name"' in ended.err
    warnings = bench.command("plan", "--json").json()["warnings"]
    assert warnings == ['[sage100.columns] CustomrName: the agent has no column "Name"']
