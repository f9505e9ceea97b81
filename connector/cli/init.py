"""`init`: a commented configuration and a mapping to begin with."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Final

import typer

from connector.cli import output
from connector.cli.session import AsJson, session_of
from connector.errors import Misconfigured
from connector.whole_files import write_whole

_NEXT: Final = (
    "Next: put your addresses and company codes into it, set SAGE100_PASSWORD, SAGE100_API_KEY "
    "and HUBSPOT_TOKEN, then run 'ml-connector check'."
)


def init(
    ctx: typer.Context,
    force: Annotated[
        bool,
        typer.Option("--force", help="Write anew what exists; the former file is kept as .old."),
    ] = False,
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
    existing = [path for path in files if path.exists()]
    if existing and not force:
        raise Misconfigured(
            "nothing was written: there already is " + " and ".join(map(str, existing)),
            where=str(configuration.absolute().parent),
            remedy="Choose another folder, 'ml-connector --config FOLDER/ml-connector.toml init'; "
            "or 'ml-connector init --force' writes both files anew and keeps what was there as "
            ".old beside them.",
        )
    kept = {path: _keep(path) for path in existing}
    for path, content in files.items():
        try:
            write_whole(path, content)
        except OSError as problem:
            raise _unwritable(path, problem) from None
    if as_json:
        named = {str(path): str(former) for path, former in kept.items()}
        output.document({"written": [str(path) for path in files], "kept": named})
        return
    for path in files:
        former = f"; what was there is kept as {kept[path]}" if path in kept else ""
        output.say(f"wrote {path}{former}")
    output.say(_NEXT)


def _keep(path: Path) -> Path:
    """Give the file that stands here another name; one that is free."""
    names = (path.with_name(f"{path.name}.old{number or ''}") for number in range(1_000))
    former = next(name for name in names if not name.exists())
    try:
        path.rename(former)
    except OSError as problem:
        raise _unwritable(path, problem) from None
    return former


def _unwritable(path: Path, problem: OSError) -> Misconfigured:
    return Misconfigured(
        f"cannot write {path}: {problem.strerror}",
        remedy="Choose a folder that exists and that you may write to.",
    )
