"""`ml-connector sandbox …` as a process of its own, and what it announces."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

SOON_S = 30.0


@asynccontextmanager
async def at_work(
    folder: Path, *arguments: str, until: bytes
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The command at work, and what it said up to the line that holds `until`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "connector", "sandbox", *arguments),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        text = b""
        async with asyncio.timeout(SOON_S):
            while until not in text:
                line = await process.stdout.readline()
                assert line, text
                text += line
        yield process, text.decode()
    finally:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(SOON_S):
            await process.communicate()


@asynccontextmanager
async def started(folder: Path, *arguments: str) -> AsyncIterator[dict[str, Any]]:
    """The command at work, and what it announces with --json."""
    async with at_work(folder, *arguments, "--json", until=b"\n}") as (_, text):
        yield msgspec.json.decode(text)
