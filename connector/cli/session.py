"""What every command starts from: which configuration, how talkative, JSON or not.

A command loads the configuration through here, so notices and log lines go the same way for all.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
import typer

from connector.cli import output
from connector.cli.stopping import stopping_signals
from connector.config import Config, load_config
from connector.errors import Misconfigured
from connector.telemetry import setup_logging

T = TypeVar("T")

DEFAULT_CONFIG: Final = Path("ml-connector.toml")
CONFIG_VARIABLE: Final = "ML_CONNECTOR_CONFIG"

AsJson = Annotated[
    bool, typer.Option("--json", help="One JSON document on standard output, nothing else there.")
]


class Session(msgspec.Struct, frozen=True):
    """The options before the command."""

    config_path: Path
    verbose: bool = False


def load(ctx: typer.Context, *, both_ends: bool = False) -> Config:
    """The configuration; notices go to standard error, and so do log lines while the command runs.

    `both_ends`: the command opens them, so that every secret must be there; else one is asked for
    where it is wanted. Raises InvalidConfiguration.
    """
    session = session_of(ctx)
    config = load_config(session.config_path, os.environ, secrets_needed=both_ends)
    console = output.stderr()
    handler = setup_logging(
        config,
        lambda line: console.print(output.clean(line), markup=False, soft_wrap=True),
        verbose=session.verbose,
    )
    ctx.call_on_close(lambda: logging.getLogger().removeHandler(handler))
    for notice in config.notices:
        output.note(f"notice: {notice}")
    return config


def session_of(ctx: typer.Context) -> Session:
    """The session that the program's callback made."""
    found = ctx.find_object(Session)
    if found is None:
        raise RuntimeError("the command was not started through the program")
    return found


def need_store_folder(config: Config) -> None:
    """Refuse a store whose folder is missing before anything else is tried.

    Raises Misconfigured. The store's file is created when missing; its folder is a decision.
    """
    file = config.store.file
    if file is not None and not file.parent.is_dir():
        raise Misconfigured(
            f"the store's folder does not exist: {file.parent}",
            where=f"{config.path}, store.url",
            remedy=f"mkdir -p {file.parent}, or correct store.url (three slashes: relative to "
            "the configuration; four: absolute)",
        )


class Interrupted(BaseException):
    """The operator pressed Ctrl-C, or a signal said so: what was under way has been cancelled."""


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end. Raises Interrupted, what it raises, nothing else.

    SIGTERM and SIGHUP interrupt as Ctrl-C does: a supervisor's stop, or a terminal that goes away,
    closes the store, too, and leaves no copies of it.
    """
    try:
        return asyncio.run(_interruptible(work))
    except (KeyboardInterrupt, asyncio.CancelledError):
        # Under a name of its own: the command-line library ends the process on the usual one.
        raise Interrupted from None


async def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.current_task()
    if task is not None and threading.current_thread() is threading.main_thread():
        loop = asyncio.get_running_loop()
        for each in stopping_signals():
            loop.add_signal_handler(each, task.cancel)
    return await work
