"""What the README and the handbook show has to be so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

import pytest

from connector.config import load_config
from connector.config.unsupported import refuse_unsupported
from tests.cli.conftest import Bench
from tests.config.sample import ENV

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "ops").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_the_configuration_of_the_readme_loads(tmp_path: Path) -> None:
    """The README's configuration is accepted as it stands, and this version honours all of it."""
    (text,) = blocks(PAGES[0], "toml")
    (tmp_path / "acme-root.pem").write_text("certificate")
    (tmp_path / "mapping.toml").write_text("version = 1")
    path = tmp_path / "ml-connector.toml"
    path.write_text(text, encoding="utf-8")
    config = load_config(path, ENV)
    refuse_unsupported(config)
    (agent,) = config.sage100
    assert agent.auth.username == "ACME\\svc_mlconnector"
    assert config.store.file == Path("/var/lib/ml-connector/events.db")
    assert config.hubspot.mapping == tmp_path / "mapping.toml"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page leads to a file that is there."""
    links = re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


def test_the_shell_lines_of_the_readme_work(bench: Bench) -> None:
    """Every `ml-connector` line of the README ends well, in the order in which it stands there."""
    lines = [
        shlex.split(line, comments=True)[1:]
        for block in blocks(PAGES[0], "sh")
        for line in block.splitlines()
        if line.startswith("ml-connector ")
    ]
    assert ["init"] in lines
    assert ["run", "--once"] in lines
    for arguments in lines:
        if arguments == ["run"]:
            continue  # the service: it would not end by itself
        if arguments == ["init"]:
            folder = bench.site.config_path.parent / "new"
            folder.mkdir()
            assert bench.command("--config", folder / "ml-connector.toml", "init").code == 0
            continue
        # Before the first setup, check has something to say.
        wanted = 1 if arguments == ["check"] else 0
        assert bench.command(*arguments).code == wanted, arguments
