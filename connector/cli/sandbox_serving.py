"""What both simulated ends have in common as commands: a port, a seed, and running until Ctrl-C."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from connector.cli.session import run_async
from connector.cli.stopping import stop_event, until_stopped
from connector.errors import Misconfigured

Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")]


def serve(work: Callable[[], Coroutine[Any, Any, None]], port: int) -> None:
    """Run one end until a signal says so. Raises Misconfigured when the port is taken."""

    async def serving() -> None:
        with stop_event() as stop:
            await until_stopped(stop, asyncio.create_task(work()))

    try:
        run_async(serving())
    except OSError as problem:
        raise Misconfigured(
            f"cannot listen on port {port}: {problem.strerror or problem}",
            where=f"127.0.0.1:{port}",
            remedy="Choose another --port, or leave it out for one that is free.",
        ) from None
