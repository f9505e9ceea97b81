"""A mapping file that is wrong: the line, the property, and what was meant, whoever reads it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from connector.config.mapping import load_mapping, read_mapping
from connector.errors import Misconfigured
from tests.config.sample import changed, line, load

DEFAULT = (resources.files("projections.mapping") / "default.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('\nowner = "fill"', '\nownr = "fill"', 'unknown key "ownr": did you mean "owner"?'),
        ('transform = "country"', 'transform = "county"', 'did you mean "country"?'),
        ('from = "aging.balance"', 'from = "aging.blance"', 'did you mean "aging.balance"?'),
        ("key_label = ", "key_lable = ", 'did you mean "key_label"?'),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, what: str) -> None:
    """As in the configuration: file and line, section and property, the nearest valid name."""
    path = tmp_path / "mapping.toml"
    text = DEFAULT.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")
    option = 'tier        = "professional"'
    config = load(tmp_path, changed(option, f'{option}\nmapping = "mapping.toml"'))
    reads: list[Callable[[], object]] = [
        lambda: load_mapping(config),
        lambda: read_mapping(path, "--mapping"),
    ]
    for read in reads:
        with pytest.raises(Misconfigured) as caught:
            read()
        assert caught.value.where == f"{path}, line {line(new.strip(), text)}"
        assert what in caught.value.what
        assert caught.value.what.startswith("[companies]")
        assert "'ml-connector init'" in caught.value.remedy


@pytest.mark.parametrize(
    ("content", "what"),
    [(None, "cannot be read"), (b"\xff\xfe", "not UTF-8"), (b"version = ", "not valid TOML")],
)
def test_a_file_that_is_no_mapping(tmp_path: Path, content: bytes | None, what: str) -> None:
    """What named it is told, since there is no line to point at."""
    path = tmp_path / "mapping.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured) as caught:
        read_mapping(path, "--mapping")
    assert what in caught.value.what
    assert str(path) in caught.value.where
