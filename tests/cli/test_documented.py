"""Every option, every key and every order is named in the README or in the handbook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from typer.main import get_command

from connector.cli.program import app
from connector.config.settings import Tables
from connector.sandbox.hubspot import control
from projections.mapping import rules

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = "\n".join(
    page.read_text(encoding="utf-8")
    for page in (ROOT / "README.md", *sorted((ROOT / "ops").rglob("*.md")))
)


def _options(command: Any, words: str = "") -> list[tuple[str, str]]:
    """The words of each command, and each of its options."""
    found = [
        (words, option)
        for each in command.params
        for option in (*each.opts, *each.secondary_opts)
        if option.startswith("-")
    ]
    for name, below in getattr(command, "commands", {}).items():
        found += _options(below, f"{words} {name}".strip())
    return found


def is_named(word: str) -> bool:
    """Whether the word stands in some page, not as a part of a longer one."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", TEXT) is not None


@pytest.mark.parametrize("option", sorted({option for _, option in _options(get_command(app))}))
def test_every_option_is_named(option: str) -> None:
    """What a command takes is told somewhere outside its own help."""
    assert is_named(option)


def _commands(command: Any) -> list[str]:
    return [
        " ".join(filter(None, [name, inner]))
        for name, below in command.commands.items()
        for inner in (getattr(below, "commands", None) or [""])
    ]


@pytest.mark.parametrize("command", _commands(get_command(app)))
def test_every_command_is_in_the_readme(command: str) -> None:
    """The README's table of commands has all of them."""
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Commands")[2]
    assert re.search(rf"`{command}[ `]", table)


def _keys(kind: Any) -> set[str]:
    """The names of all keys of a struct and of those below it."""
    found: set[str] = set()
    for field in msgspec.structs.fields(kind):
        found.add(field.encode_name)
        for below in re.findall(r"\b[A-Z]\w+\b", str(field.type)):
            struct = getattr(__import__(kind.__module__, fromlist=[below]), below, None)
            if isinstance(struct, type) and issubclass(struct, msgspec.Struct):
                found |= _keys(struct)
    return found


@pytest.mark.parametrize("key", sorted(_keys(Tables)))
def test_every_key_of_the_configuration_is_named(key: str) -> None:
    """Those that the example alone explains are no secret either."""
    example = (ROOT / "connector/config/example.toml").read_text(encoding="utf-8")
    assert is_named(key) or re.search(rf"\b{key}\b", example)


@pytest.mark.parametrize("key", sorted(_keys(rules.Mapping) - {"rules"}))
def test_every_key_of_a_mapping_is_named(key: str) -> None:
    """The handbook's page on the mapping tells all of them."""
    page = (ROOT / "ops/handbook/mapping.md").read_text(encoding="utf-8")
    assert re.search(rf"\b{key}\b", page)


def test_every_order_to_the_simulated_hubspot_is_told() -> None:
    """What `/control` takes stands in the handbook: each order, each of its parameters."""
    page = (ROOT / "ops/handbook/sandbox.md").read_text(encoding="utf-8")
    orders = page.partition("### Other people, and bad days")[2].partition("\n### ")[0]
    shapes = {shape for shape, _ in control._ORDERS.values() if shape is not None}
    fields = {field.encode_name for shape in shapes for field in msgspec.structs.fields(shape)}
    missing = [one for one in {*control._ORDERS, *fields} if f"`{one}`" not in orders]
    assert missing == []


def test_where_the_configuration_may_be_named_is_told() -> None:
    """The variable of the environment is in the README."""
    assert "ML_CONNECTOR_CONFIG" in (ROOT / "README.md").read_text(encoding="utf-8")
