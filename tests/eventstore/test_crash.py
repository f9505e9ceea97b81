"""A process killed at any moment loses nothing it was told is stored, and doubles nothing."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from eventstore import open_store

from .conftest import TABLES, Opener, all_events
from .crashing import TASKS

CRASHES = 5
LIMIT_S = 30.0


async def run_and_kill(url: str, crash: int, lines: int) -> list[str]:
    """Let a child append, kill it in the middle of things; the ids it reported as appended."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.eventstore.crashing", url, str(crash)),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    heard = b""
    try:
        for _ in range(lines):
            line = await child.stdout.readline()
            assert line, "the child ended by itself"
            heard += line
    finally:
        child.kill()
    heard += await child.stdout.read()
    assert await child.wait() == -9
    return heard[: heard.rfind(b"\n") + 1].decode().split()


async def test_killed_again_and_again(opener: Opener, url: str) -> None:
    """After each kill -9: lock free, acknowledged events there, none twice, no append in part."""
    chance = random.Random()
    acknowledged: list[str] = []
    async with asyncio.timeout(LIMIT_S):
        for crash in range(CRASHES):
            acknowledged += await run_and_kill(url, crash, chance.randint(1, 400))
            async with open_store(url, tables=TABLES) as store:
                events = await all_events(store)
                ids = [(e.data or b"").decode() for e in events]
                assert [e.position for e in events] == list(range(1, len(events) + 1))
                assert set(acknowledged) <= set(ids)
                assert len(ids) == len(set(ids))
                assert await store.verify() == len(ids)
                for task in range(TASKS):
                    own = [id_ for id_ in ids if id_.split("/")[1] == str(task)]
                    place = await store.checkpoint(f"task-{task}")
                    row = (await store.rows({"items": [f"task-{task}"]}))["items"]
                    assert place.position == len(own)
                    assert sum(int(r.value) for r in row.values()) == len(own)
    assert len(acknowledged) > CRASHES
