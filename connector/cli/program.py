"""The program `ml-connector`: its commands, its global options, and how it ends."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from connector.cli import (
    archive,
    bundle,
    check,
    demo,
    erase,
    failures,
    history,
    init,
    output,
    parked,
    plan,
    proof,
    rebuild,
    reconcile,
    rehearse,
    release,
    replay,
    reproduce,
    sandbox,
    setup,
    status,
    undo,
    verify,
)
from connector.cli import run as service
from connector.cli.session import CONFIG_VARIABLE, DEFAULT_CONFIG, Interrupted, Session
from connector.cli.streams import OutputLost, guarded
from connector.errors import Misconfigured
from connector.telemetry import product_version

INTERRUPTED: Final = 130

app = typer.Typer(
    name="ml-connector",
    help="Keeps HubSpot true to Sage 100.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("init")(init.init)
app.command("check")(check.check)
app.command("setup")(setup.setup)
app.command("run")(service.run)
app.command("status")(status.status)
app.command("history")(history.history)
app.command("parked")(parked.parked)
app.command("replay")(replay.replay)
app.command("retry")(replay.retry)
app.command("rehearse")(rehearse.rehearse)
app.command("plan")(plan.plan)
app.command("apply")(plan.apply)
app.command("undo")(undo.undo)
app.command("reconcile")(reconcile.reconcile)
app.command("release")(release.release)
app.command("rebuild")(rebuild.rebuild)
app.command("verify")(verify.verify)
app.command("proof")(proof.proof)
app.command("erase")(erase.erase)
app.command("export")(archive.export_log)
app.command("import")(archive.import_log)
app.command("bundle")(bundle.bundle)
app.command("reproduce")(reproduce.reproduce)
app.command("demo")(demo.demo)
app.add_typer(sandbox.app, name="sandbox")


def _version(wanted: bool) -> None:
    if wanted:
        output.say(f"ml-connector {product_version()}")
        raise typer.Exit


@app.callback()
def main(
    ctx: typer.Context,
    config: Annotated[
        Path,
        typer.Option(
            "--config", envvar=CONFIG_VARIABLE, help="The configuration file.", metavar="FILE"
        ),
    ] = DEFAULT_CONFIG,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="More log lines on standard error.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Keeps HubSpot true to Sage 100."""
    ctx.obj = Session(config_path=config, verbose=verbose)


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line; the process's exit code."""
    output.style_the_library()
    try:
        with guarded():
            return _carry_out(arguments)
    except OutputLost as problem:
        if not problem.reader_gone:
            with guarded():
                output.failure(problem.what, where=problem.where, remedy=problem.remedy)
        return problem.exit_code


def _carry_out(arguments: Sequence[str]) -> int:
    as_json = "--json" in arguments
    for number, argument in enumerate(arguments, 1):
        if not _is_text(argument):
            return _no_text(number, argument, as_json=as_json)
    try:
        app(list(arguments), prog_name="ml-connector")
    except OutputLost:
        raise
    except SystemExit as end:
        if as_json:
            _usage_as_document(end.__context__)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except (KeyboardInterrupt, Interrupted):
        return _interrupted(as_json=as_json)
    except BaseException as problem:  # a group of errors may hold what is no Exception
        code = failures.report(problem, as_json=as_json)
        if code is None:
            raise
        logging.getLogger("ml-connector").debug("traceback", exc_info=problem)
        return code
    return 0


def _is_text(argument: str) -> bool:
    """Whether it came as UTF-8: what did not can be written nowhere, neither to log nor screen."""
    return argument.encode(errors="replace").decode() == argument


def _no_text(number: int, argument: str, *, as_json: bool) -> int:
    shown = argument.encode(errors="backslashreplace").decode()
    output.failure(
        f"argument {number} is not UTF-8: {shown}",
        where="command line",
        remedy="Give it in UTF-8, the encoding of the terminal or of the script; rename a file "
        "whose name is in another one.",
        as_json=as_json,
    )
    return Misconfigured.exit_code


def _usage_as_document(problem: BaseException | None) -> None:
    """What the command-line library has said on standard error, for who reads the other one."""
    told = getattr(problem, "format_message", None)  # its errors have one, whatever their class
    if told is None:
        return
    context = getattr(problem, "ctx", None)
    command = context.command_path if context is not None else "ml-connector"
    remedy = f"'{command} --help' tells what it takes."
    output.document({"error": {"what": told(), "where": command, "remedy": remedy}})


def _interrupted(*, as_json: bool) -> int:
    output.failure(
        "interrupted",
        remedy="Run it again: everything done so far is in the log, nothing is done twice.",
        as_json=as_json,
    )
    return INTERRUPTED
