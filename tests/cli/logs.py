"""Logs with a past, as stores and as exported files, and what is in them line by line."""

from __future__ import annotations

import asyncio
import base64
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eventstore import Meta, NewEvent, open_store
from tests.cli.command import Ended

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Run = Callable[..., Ended]
ODD = [b"\x00\xff", b'{"a":\n1}', b" {}", b'"\xc3\xa4"', b"null", b'{"a": 1.50}', b'"\xed\xa0\x80"']


def url(path: Path) -> str:
    """The store URL of a file."""
    return f"sqlite:///{path}"


async def _live(path: Path, seed: int, events: int) -> None:
    rng = random.Random(seed)
    async with open_store(url(path)) as store:
        head = (await store.head()).last
        while head < events:
            count = rng.choice([1, 1, 2, 3, 40])
            new = [
                NewEvent(
                    f"person/{rng.randrange(30)}",
                    rng.choice(["Seen", "Löschen"]),
                    rng.choice(ODD) if rng.random() < 0.1 else b'{"n":%d}' % rng.randrange(10**9),
                    cause=rng.randrange(1, head) if head > 5 and rng.random() < 0.3 else None,
                )
                for _ in range(count)
            ]
            head = (await store.append(new, meta=Meta(actor=rng.choice(["", "me"])))).last


def live(path: Path, events: int = 300, seed: int = 1) -> None:
    """Append random events until there are so many."""
    asyncio.run(_live(path, seed, events))


def erase(path: Path, *streams: str) -> None:
    """Erase streams of a store."""

    async def work() -> None:
        async with open_store(url(path)) as store:
            await store.erase(streams, reason="asked", meta=Meta("officer"))

    asyncio.run(work())


def text_of(path: Path) -> str:
    """The lines of an exported log."""
    content = path.read_bytes()
    return (zstd.decompress(content) if path.suffix == ".zst" else content).decode()


def payload_of(row: dict[str, Any], name: str, line: bytes) -> bytes:
    """The payload's own bytes: the last value of its line."""
    if f"{name}_base64" in row:
        return base64.b64decode(row[f"{name}_base64"])
    return line[line.index(b'"%b":' % name.encode()) + len(name) + 3 : -1]


def lines_of(file: Path) -> list[bytes]:
    """The lines of a plain file, each with its end."""
    return file.read_bytes().splitlines(keepends=True)


def index_of(lines: list[bytes], position: int) -> int:
    """Which line is that of the event at a position."""
    return next(n for n, line in enumerate(lines) if line.startswith(b'{"position":%d,' % position))
