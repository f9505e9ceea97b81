"""`init`: a commented configuration and a mapping to begin with."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Annotated, Final

import typer

from connector.cli import output
from connector.cli.session import AsJson, session_of
from connector.errors import Misconfigured

_NEXT: Final = (
    "Next: put your addresses and company codes into it, set SAGE100_PASSWORD, SAGE100_API_KEY "
    "and HUBSPOT_TOKEN, then run 'ml-connector check'."
)


def init(
    ctx: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a commented configuration, and the default mapping beside it."""
    configuration = session_of(ctx).config_path
    files = {
        configuration: resources.files("connector.config").joinpath("example.toml").read_bytes(),
        configuration.parent / "mapping.toml": resources.files("projections.mapping")
        .joinpath("default.toml")
        .read_bytes(),
    }
    existing = [str(path) for path in files if path.exists()]
    if existing and not force:
        raise Misconfigured(
            "nothing was written: there already is " + " and ".join(existing),
            where=str(configuration.absolute().parent),
            remedy="'ml-connector init --force' overwrites; --config names another file.",
        )
    for path, content in files.items():
        _write(path, content)
    if as_json:
        output.document({"written": [str(path) for path in files]})
        return
    for path in files:
        output.say(f"wrote {path}")
    output.say(_NEXT)


def _write(path: Path, content: bytes) -> None:
    """Write a whole file or none, readable by its owner alone."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        draft.replace(path)
    except OSError as problem:
        draft.unlink(missing_ok=True)
        raise Misconfigured(
            f"cannot write {path}: {problem.strerror}",
            remedy="Choose a folder that exists and that you may write to.",
        ) from None
