"""A child process that appends until it is killed, telling on stdout what it was told is done.

Run as `python -m tests.eventstore.crashing URL ROUND`. Not a test by itself; see test_crash.py.
"""

from __future__ import annotations

import asyncio
import os
import sys

from eventstore import Checkpoint, EventStore, NewEvent, Put, Row, Table, open_store

TASKS = 6


async def append_for_ever(store: EventStore, task: int, crash: int) -> None:
    """Each append: two events, a checkpoint moved by two, a row; then its line on stdout."""
    name = f"task-{task}"
    number = (await store.checkpoint(name)).position
    while True:
        ids = [f"{crash}/{task}/{number + offset}" for offset in range(2)]
        await store.append(
            [NewEvent(f"{name}/{number % 5}", "T", id_.encode()) for id_ in ids],
            checkpoint=Checkpoint(name, number + 2, was=number),
            also=[Put("items", [Row(name, str(number + 2).encode())])],
        )
        number += 2
        os.write(1, (" ".join(ids) + "\n").encode())


async def main(url: str, crash: int) -> None:
    async with (
        open_store(url, tables=[Table("items")]) as store,
        asyncio.TaskGroup() as group,
    ):
        for task in range(TASKS):
            group.create_task(append_for_ever(store, task, crash))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
