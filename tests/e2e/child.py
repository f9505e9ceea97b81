"""The connector as a process of its own, so that it can be killed while both ends live on."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.e2e.site import Site
from tests.e2e.waiting import LIMIT_S

ROOT = Path(__file__).parents[2]


class Child:
    """One `ml-connector run --once`."""

    def __init__(self, process: asyncio.subprocess.Process, said: Path) -> None:
        self._process = process
        self._said = said

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.returncode is None

    async def kill(self) -> None:
        """Kill it as `kill -9` does; AssertionError when it had ended by itself."""
        if self.running:
            self._process.kill()
        ended = await self._process.wait()
        assert ended == -9, f"it ended with {ended} before it was killed\n{self.said()}"

    async def finish(self) -> int:
        """Wait for its end; the exit code."""
        async with asyncio.timeout(2 * LIMIT_S):
            return await self._process.wait()

    def said(self) -> str:
        """What it wrote so far."""
        return self._said.read_text(encoding="utf-8", errors="replace")


@asynccontextmanager
async def started(site: Site) -> AsyncIterator[Child]:
    """Start one pass; whatever happens, it is gone afterwards."""
    said = site.config_path.with_name("said.txt")
    with said.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "connector",
                "--config",
                str(site.config_path),
                "run",
                "--once",
            ),
            stdout=output,
            stderr=output,
            cwd=ROOT,
            env={**os.environ, **site.env},
        )
    try:
        yield Child(process, said)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
