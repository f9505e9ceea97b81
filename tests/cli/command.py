"""Running command lines: inside this process, and as the operator's shell does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from connector.cli.program import run
from tests.config.sample import ENV


class Ended(NamedTuple):
    """How a command line ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output, which has to be one JSON document and nothing else."""
        return json.loads(self.out)


def inside(capsys: pytest.CaptureFixture[str], *arguments: object) -> Ended:
    """Run in this process."""
    capsys.readouterr()
    code = run([str(each) for each in arguments])
    found = capsys.readouterr()
    return Ended(code, found.out, found.err)


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a shell that finds our code, with nothing of ours set but `extra`."""
    ours = {"ML_CONNECTOR_CONFIG", "COLUMNS", "NO_COLOR", "FORCE_COLOR", *ENV}
    bare = {name: value for name, value in os.environ.items() if name not in ours}
    return bare | {"PYTHONPATH": str(Path(__file__).parents[2])} | dict(extra)


def shell(folder: Path, *arguments: object, env: Mapping[str, str] = ENV) -> Ended:
    """Run `python -m connector` in a folder, with these secrets in the environment."""
    done = subprocess.run(
        [sys.executable, "-m", "connector", *(str(each) for each in arguments)],
        cwd=folder,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)
