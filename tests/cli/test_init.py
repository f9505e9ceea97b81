"""`init` writes what a first-time operator needs."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from connector.config import load_config
from projections.mapping import compiled
from tests.cli.command import inside
from tests.config.sample import ENV


def test_it_writes_a_configuration_that_loads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What init writes is valid as it stands: only addresses and secrets are to be put in."""
    path = tmp_path / "ml-connector.toml"
    ended = inside(capsys, "--config", path, "init")
    assert (ended.code, ended.err) == (0, "")
    config = load_config(path, ENV)
    assert config.hubspot.mapping == tmp_path / "mapping.toml"
    assert config.sage100[0].auth.scheme == "basic"
    assert "ml-connector check" in ended.out


def test_the_mapping_is_the_built_in_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The mapping beside it means what the built-in default means."""
    inside(capsys, "--config", tmp_path / "ml-connector.toml", "init")
    text = (tmp_path / "mapping.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["version"] == 1
    assert compiled.parse(text).digest


def test_its_files_are_the_owners_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody else can read or change the configuration."""
    inside(capsys, "--config", tmp_path / "ml-connector.toml", "init")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"ml-connector.toml": 0o600, "mapping.toml": 0o600}


@pytest.mark.parametrize("existing", ["ml-connector.toml", "mapping.toml"])
def test_it_writes_anew_only_when_forced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], existing: str
) -> None:
    """An existing file is left alone, and nothing is written beside it, without --force; what to do
    instead is said.
    """
    (tmp_path / existing).write_text("mine")
    path = tmp_path / "ml-connector.toml"
    ended = inside(capsys, "--config", path, "init")
    assert ended.code == 2
    assert existing in ended.err
    assert "init --force" in ended.err
    assert "--config FOLDER/ml-connector.toml init" in ended.err
    assert [each.name for each in tmp_path.iterdir()] == [existing]
    ended = inside(capsys, "--config", path, "init", "--force", "--json")
    assert ended.code == 0
    assert ended.json() == {
        "written": [str(path), str(tmp_path / "mapping.toml")],
        "kept": {str(tmp_path / existing): str(tmp_path / f"{existing}.old")},
    }
    assert (tmp_path / existing).read_text() != "mine"


def test_what_was_there_is_kept_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """However often it is forced, no former file is lost, each is named, and nothing else stays."""
    path = tmp_path / "ml-connector.toml"
    path.write_text("mine")
    first = inside(capsys, "--config", path, "init", "--force")
    assert f"wrote {path}; what was there is kept as {path}.old" in first.out
    second = inside(capsys, "--config", path, "init", "--force")
    assert f"{path}.old1" in second.out
    assert (tmp_path / "ml-connector.toml.old").read_text() == "mine"
    assert {each.name for each in tmp_path.iterdir()} == {
        *("ml-connector.toml", "ml-connector.toml.old", "ml-connector.toml.old1"),
        *("mapping.toml", "mapping.toml.old"),
    }


def test_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that does not exist is said to be missing, not made up."""
    ended = inside(capsys, "--config", tmp_path / "none" / "ml-connector.toml", "init")
    assert ended.code == 2
    assert "No such file or directory" in ended.err
