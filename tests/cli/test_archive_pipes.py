"""`import` from a pipe: a log that comes once, and is read as often as a file is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from connector.archive import NotThisLog, source_of
from connector.archive.spooling import _keep
from connector.errors import Misconfigured
from tests.cli.command import environment
from tests.cli.logs import Run, url
from tests.e2e.waiting import until

LIMIT_S = 30


def begun(folder: Path, *arguments: object) -> subprocess.Popen[bytes]:
    """An import as a process of its own, with a pipe as its standard input."""
    return subprocess.Popen(
        [sys.executable, "-m", "connector", "import", *(str(one) for one in arguments)],
        cwd=folder,
        env=environment({}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.fixture
def log(tmp_path: Path, store: Path, run: Run) -> Path:
    """An exported log in which events are blank: an import looks ahead for what explains them."""
    assert run("export", "--store", url(store), tmp_path / "log.jsonl").code == 0
    return tmp_path / "log.jsonl"


def test_a_log_comes_through_a_pipe(tmp_path: Path, log: Path, run: Run) -> None:
    """All of it is taken in, and nothing is left beside the store."""
    folder = tmp_path / "new"
    folder.mkdir()
    process = begun(folder, "/dev/stdin", "--store", "sqlite:///copy.db", "--json")
    out, err = process.communicate(log.read_bytes(), LIMIT_S)
    assert process.returncode == 0, err
    assert b'"complete": true' in out
    left = {path.name for path in folder.iterdir()}
    assert {name for name in left if not name.startswith("copy.db")} == set()
    assert run("export", "--store", url(folder / "copy.db"), folder / "again").code == 0
    assert (folder / "again").read_bytes() == log.read_bytes()


@pytest.mark.parametrize("name", ["pipe", "pipe.zst"])
def test_a_named_pipe_is_one_too(tmp_path: Path, store: Path, run: Run, name: str) -> None:
    """Compressed when its name says so, as with files."""
    kept = tmp_path / f"log.{name}"
    assert run("export", "--store", url(store), kept).code == 0
    os.mkfifo(tmp_path / name)
    writing = threading.Thread(target=(tmp_path / name).write_bytes, args=(kept.read_bytes(),))
    writing.start()
    ended = run("import", tmp_path / name, "--store", url(tmp_path / "copy.db"))
    writing.join(LIMIT_S)
    assert ended.code == 0, ended.err
    assert run("verify", "--store", url(tmp_path / "copy.db")).code == 0


def test_a_pipe_that_breaks_off_is_a_file_that_was_cut(tmp_path: Path, log: Path) -> None:
    """What is whole is imported, it says so, and ends with 1; an empty one makes no store."""
    content = log.read_bytes()
    process = begun(tmp_path, "/dev/stdin", "--store", "sqlite:///copy.db")
    out, err = process.communicate(content[: len(content) // 3], LIMIT_S)
    assert (process.returncode, b"The file was cut off" in out) == (1, True), err
    process = begun(tmp_path, "/dev/stdin", "--store", "sqlite:///none.db")
    process.communicate(b"", LIMIT_S)
    assert process.returncode != 0
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("written", [None, b"", b"{"])
async def test_waiting_for_a_pipe_can_be_interrupted(
    tmp_path: Path, number: signal.Signals, written: bytes | None
) -> None:
    """Nobody writes to it, or nothing more: the signal ends the command, and no store is made."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = begun(tmp_path, pipe, "--store", "sqlite:///copy.db")
    await until(lambda: _has_open(process, pipe), "the pipe is read")
    writer = None if written is None else os.open(pipe, os.O_WRONLY)
    if writer is not None and written:
        os.write(writer, written)
    process.send_signal(number)
    _, err = await asyncio.to_thread(process.communicate, None, LIMIT_S)
    assert (process.returncode, b"interrupted" in err) == (130, True), err
    assert os.listdir(tmp_path) == ["pipe"]
    if writer is not None:
        os.close(writer)


def _has_open(process: subprocess.Popen[bytes], path: Path) -> bool:
    assert process.poll() is None
    for one in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if one.readlink() == path:
                return True
    return False


async def test_a_pipe_without_an_end_that_is_no_log_is_left(tmp_path: Path) -> None:
    """Its beginning is looked at before the disk is full of it."""
    for content in (b"y\n", b"y"):
        reading, writing = os.pipe()
        endless = threading.Thread(target=_write_on, args=(writing, content * (1 << 15)))
        endless.start()
        with pytest.raises(NotThisLog, match="this is no exported log"):
            async with source_of(Path(f"/dev/fd/{reading}"), tmp_path / "x.db", _nobody):
                pass
        os.close(reading)
        await asyncio.to_thread(endless.join, LIMIT_S)


def _write_on(descriptor: int, content: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):
        while True:
            os.write(descriptor, content)
    os.close(descriptor)


def _nobody(done: int, total: int) -> None:
    pass


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero"])
async def test_a_device_is_refused(tmp_path: Path, path: str) -> None:
    """What is neither a file nor a pipe may have no end, or another each time."""
    with pytest.raises(Misconfigured, match="neither a file nor a pipe"):
        async with source_of(Path(path), tmp_path / "x.db", _nobody):
            pass


async def test_progress_is_told_and_what_came_can_be_read_again(tmp_path: Path) -> None:
    """Byte by byte as it came, from its beginning each time; nobody finds it by a name."""
    content = os.urandom(300_000)
    reading, writing = os.pipe()
    feeding = threading.Thread(target=_feed, args=(writing, content))
    feeding.start()
    told: list[int] = []
    async with source_of(
        Path(f"/dev/fd/{reading}"), tmp_path / "x.db", lambda done, _: told.append(done)
    ) as source:
        with source.open() as first, source.open() as second:
            assert first.read(10) == content[:10]
            assert second.read() == content
            assert first.read() == content[10:]
        assert os.listdir(tmp_path) == []
    feeding.join(LIMIT_S)
    os.close(reading)
    assert told == sorted(told)
    assert told[-1] == len(content)


def _feed(descriptor: int, content: bytes) -> None:
    with open(descriptor, "wb") as pipe:
        pipe.write(content)


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """There a pipe cannot be kept, and the store neither."""
    reading, writing = os.pipe()
    os.close(writing)
    with pytest.raises(Misconfigured, match="cannot be kept beside the store"):
        async with source_of(Path(f"/dev/fd/{reading}"), tmp_path / "no" / "x.db", _nobody):
            pass
    os.close(reading)


def test_a_full_disk_is_told() -> None:
    """What is wrong, and what to do."""
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(Misconfigured, match="space"):
        _keep(full, b"x")
