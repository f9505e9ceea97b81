"""What a verification folds holds what the log holds: nothing of it stays that no erasure finds."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from connector.opening import open_writer
from tests.cli.command import environment
from tests.e2e.test_erase import KEY, NAMES, ask, files_with, synced
from tests.e2e.waiting import LIMIT_S

# The command as it is, held where everything is folded.
VERIFYING = """
import asyncio, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # who runs the tests may have it ignored (nohup)
from connector import beside
from connector.__main__ import main
async def held(*_):
    print("folded", flush=True)
    await asyncio.Event().wait()
beside.compare = held
sys.argv = ["ml-connector", "rebuild", "--verify"]
main()
"""


def files_in(folder: Path) -> list[Path]:
    """Every file below."""
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
async def test_a_killed_verification_leaves_nothing_of_the_erased(
    tmp_path: Path, how: signal.Signals
) -> None:
    """A terminal that goes away ends it in good order; what a kill leaves an erasure removes."""
    room = tmp_path / "room"
    room.mkdir()
    async with synced(tmp_path) as site:
        config = site.config()
        own = {"ML_CONNECTOR_CONFIG": str(site.config_path), "TMPDIR": str(room)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", VERIFYING),
            env=environment(site.env | own),
            cwd=os.getcwd(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            assert await process.stdout.readline() == b"folded\n"
            assert any(NAMES[0].encode() in path.read_bytes() for path in files_in(room))
            process.send_signal(how)
            code = await process.wait()
        assert code == (-how if how == signal.SIGKILL else 130)
        assert bool(files_in(room)) is (how == signal.SIGKILL)
        await ask(config, KEY)
        async with open_writer(config):
            pass
        assert files_in(room) == []
        assert files_with(tmp_path, NAMES) == []
        assert not any("copies" in path.name for path in files_in(tmp_path))
