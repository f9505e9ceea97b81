"""Where a store may be, who may open it, and what is left alone."""

# ruff: noqa: ASYNC240 - files are looked at while nothing else runs

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import eventstore
from eventstore import (
    Checkpoint,
    NotAStore,
    Put,
    Row,
    StoreDamaged,
    StoreInUse,
    StoreMissing,
    StoreReadOnly,
    Table,
    Unavailable,
    UnknownSchema,
    UnsupportedUrl,
    open_store,
)

from .conftest import LIMIT_S, Opener, event, fill


def test_public_names_agree_with_all() -> None:
    """__all__ lists exactly what the package exports, in order."""
    modules = {p.stem for p in Path(eventstore.__file__ or "").parent.glob("*.py")}
    imported = {"annotations", "AsyncIterator", "Callable", "Path", "Sequence"}
    imported |= {"contextlib", "os", "time", "unquote", "urlsplit", "Codec", "open_sqlite"}
    public = {name for name in vars(eventstore) if not name.startswith("_")} - modules - imported
    assert set(eventstore.__all__) == public
    assert len(eventstore.__all__) == len(set(eventstore.__all__))


async def test_three_slashes_are_relative_four_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sqlite:///a.db is below the working directory, sqlite:////a.db at the root of the disk."""
    monkeypatch.chdir(tmp_path)
    async with open_store("sqlite:///here.db") as store:
        await store.append([event()])
    assert (tmp_path / "here.db").is_file()
    async with open_store(f"sqlite:///{tmp_path}/here.db", read_only=True) as store:
        assert (await store.head()).last == 1
    async with open_store("sqlite:///a%20b%3F.db"):
        pass
    assert (tmp_path / "a b?.db").is_file()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://localhost/x", "only the SQLite backend"),
        ("mysql://localhost/x", "sqlite:///"),
        ("events.db", "sqlite:///"),
        ("", "sqlite:///"),
        ("sqlite://events.db", "sqlite:///"),
        ("sqlite:///", "names no file"),
        ("sqlite:////", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///a.db?mode=ro", "no options"),
    ],
)
async def test_other_urls_are_refused(url: str, says: str) -> None:
    """A URL this build cannot open is refused with what it can."""
    with pytest.raises(UnsupportedUrl, match=says):
        async with open_store(url):
            pass


async def test_a_url_with_a_password_is_not_repeated() -> None:
    """A refusal shows no more of a foreign URL than its scheme."""
    with pytest.raises(UnsupportedUrl) as raised:
        async with open_store("mysql://user:secret@host/x"):
            pass
    assert "secret" not in str(raised.value)


async def test_a_missing_directory_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Directories are not made; the message explains the slashes."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreMissing, match="four slashes"):
        async with open_store("sqlite:///var/lib/events.db"):
            pass
    assert list(tmp_path.iterdir()) == []


async def test_nothing_to_read(opener: Opener, path: Path) -> None:
    """A store that does not exist cannot be opened read-only, and is not made by trying."""
    with pytest.raises(StoreMissing):
        async with opener(read_only=True):
            pass
    assert list(path.parent.iterdir()) == []


async def test_files_are_for_their_owner_only(opener: Opener, path: Path) -> None:
    """Database, write-ahead log, index and lock get mode 0600 whatever the umask allows."""
    before = os.umask(0)
    try:
        async with opener() as store:
            await store.append([event()])
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(
        ["events.db", "events.db-wal", "events.db-shm", "events.db.lock"], 0o600
    )


async def test_an_empty_file_becomes_a_store(opener: Opener, path: Path) -> None:
    """A file of no bytes, and the remains of an interrupted creation, are in nobody's way."""
    path.touch()
    path.with_name(path.name + ".new").write_bytes(b"half")
    async with opener() as store:
        await store.append([event()])
    assert sorted(p.name for p in path.parent.iterdir()) == ["events.db", "events.db.lock"]


def foreign_database(path: Path) -> None:
    conn = sqlite3.connect(path)
    conn.execute("CREATE TABLE t (x)")
    conn.commit()
    conn.close()


def newer_store(path: Path) -> None:
    eventstore.database.create(path)
    conn = sqlite3.connect(path)
    conn.execute("PRAGMA user_version = 2")
    conn.close()


FOREIGN: dict[str, tuple[Callable[[Path], object], type[Exception]]] = {
    "text": (lambda path: path.write_bytes(b"not a database, but a letter\n" * 20), NotAStore),
    "short": (lambda path: path.write_bytes(b"SQLite format 3\0"), NotAStore),
    "zeros": (lambda path: path.write_bytes(bytes(8192)), NotAStore),
    "another program's": (foreign_database, NotAStore),
    "newer": (newer_store, UnknownSchema),
}


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("kind", FOREIGN)
async def test_what_is_not_ours_is_left_untouched(
    opener: Opener, path: Path, kind: str, read_only: bool
) -> None:
    """A file that is no store, or a newer one, is refused; neither it nor its directory changes."""
    make, error = FOREIGN[kind]
    make(path)
    before = path.read_bytes()
    with pytest.raises(error, match="untouched"):
        async with opener(read_only=read_only):
            pass
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["events.db"]


async def test_a_damaged_store_is_refused_untouched(opener: Opener, path: Path) -> None:
    """A store cut short or overwritten is refused as damaged, and stays as it was found."""
    async with opener() as store:
        await fill(store, 400, per_append=50)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:100] + bytes(4096) + whole[4196:]):
        path.write_bytes(damaged)
        with pytest.raises(StoreDamaged, match="backup"):
            async with opener():
                pass
        assert path.read_bytes() == damaged


async def test_a_directory_is_no_store(opener: Opener, path: Path) -> None:
    """A directory in the file's place is refused with its name."""
    path.mkdir()
    with pytest.raises(Unavailable, match="events"):
        async with opener():
            pass


async def test_one_writer_per_store(opener: Opener, path: Path) -> None:
    """A second opening for writing is refused, naming file and process; after close it is free."""
    async with opener() as store:
        with pytest.raises(StoreInUse) as raised:
            async with opener():
                pass
        assert str(path) in str(raised.value)
        assert f"process {os.getpid()} " in str(raised.value)
        await store.append([event()])
    async with opener() as store:
        assert (await store.head()).last == 1


async def test_another_process_is_refused(opener: Opener, url: str) -> None:
    """The lock holds between processes, also by another path to the same file."""
    program = (
        "import asyncio, sys, eventstore\n"
        "async def main():\n"
        "    try:\n"
        "        async with eventstore.open_store(sys.argv[1]): print('opened')\n"
        "    except eventstore.StoreInUse as error: print(error)\n"
        "asyncio.run(main())\n"
    )
    async with opener(), asyncio.timeout(LIMIT_S):
        link = Path(url.removeprefix("sqlite:///")).with_name("link.db")
        link.symlink_to("events.db")
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, f"sqlite:///{link}"),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        output, _ = await child.communicate()
    assert f"in use by process {os.getpid()} " in output.decode()


async def test_read_only_beside_the_writer(opener: Opener) -> None:
    """A read-only opening takes no lock, sees the writer's commits, and refuses to write."""
    async with opener() as writer, opener(read_only=True) as reader, asyncio.timeout(LIMIT_S):
        following = reader.follow(0)
        await writer.append([event()], also=[Put("items", [Row("k", b"v")])])
        assert [e.position for e in await anext(following)] == [1]
        waiting = asyncio.ensure_future(reader.wait(1, LIMIT_S))
        await reader.head()
        await writer.append([event()])
        assert await waiting
        assert await reader.verify() == 2
        assert await reader.count("items") == 1
        with pytest.raises(StoreReadOnly):
            await reader.append([event()])
        with pytest.raises(StoreReadOnly):
            await reader.erase(["a"], reason="x", meta=(await reader.head()).meta)


async def test_read_only_without_a_writer(opener: Opener, path: Path) -> None:
    """A store nobody writes can be read, and is left as it is."""
    async with opener() as store:
        await store.append([event()])
    before = path.read_bytes()
    async with opener(read_only=True) as store:
        assert (await store.head()).last == 1
    assert path.read_bytes() == before


async def test_modes_are_put_right(opener: Opener, path: Path) -> None:
    """A store that was put back so that others could read it is private again once it is written:
    the file, its lock, and what SQLite keeps beside it."""
    async with opener() as store:
        await store.append([event()])
    files = [path.with_name(path.name + end) for end in ("", "-wal", "-shm", ".lock")]
    for file in files:
        file.touch()
        file.chmod(0o644)
    async with opener(read_only=True) as reader:
        async with opener() as store:
            await store.append([event()])
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert (await reader.head()).last == 2


async def test_a_steady_reader_sees_one_moment(opener: Opener) -> None:
    """Whatever is written meanwhile, its log, rows and checkpoints are those of its opening."""
    async with opener() as writer:
        await writer.append(
            [event()], checkpoint=Checkpoint("p", 1), also=[Put("items", [Row("a", b"1")])]
        )
        async with opener(read_only=True, steady=True) as reader:
            await writer.append(
                [event()],
                checkpoint=Checkpoint("p", 2, was=1),
                also=[Put("items", [Row("a", b"2"), Row("b", b"")])],
            )
            for _ in range(2):
                assert (await reader.head()).last == 1
                assert (await reader.checkpoint("p")).position == 1
                assert await reader.scan("items") == [Row("a", b"1")]
                assert [commit.last for commit in await reader.sealed(0)] == [1]
                assert await reader.verify() == 1
        async with opener(read_only=True) as reader:
            assert (await reader.head()).last == 2
        with pytest.raises(ValueError, match="steady"):
            async with opener(steady=True):
                pass


async def test_a_table_that_no_writer_has_made_is_empty(opener: Opener, path: Path) -> None:
    """A reader of a newer program finds nothing in its new tables until a writer has made them."""
    async with opener() as store:
        await store.append([event()])
    before = path.read_bytes()
    newer = [Table("fresh"), Table("queue", ranked=True)]
    async with opener(read_only=True, tables=newer) as reader:
        assert await reader.rows({"fresh": ["a"]}) == {"fresh": {}}
        assert await reader.scan("fresh") == []
        assert await reader.scan_many("fresh", ["a"]) == {"a": []}
        assert (await reader.count("fresh"), await reader.next_rank("queue")) == (0, None)
        assert await reader.due("queue", upto=9) == []
        assert path.read_bytes() == before
        async with opener(tables=newer) as writer:
            await writer.append([], also=[Put("fresh", [Row("a", b"1")])])
            assert await reader.count("fresh") == 1
        with pytest.raises(eventstore.BadTable, match="new name"):
            async with opener(read_only=True, tables=[Table("fresh", ranked=True)]):
                pass


async def test_nothing_is_left_behind(opener: Opener, path: Path) -> None:
    """After close there is no thread, no open file, and the write-ahead log is gone."""
    threads = threading.enumerate()
    files = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    async with opener() as store:
        await fill(store, 50)
    with contextlib.suppress(BaseException):
        async with opener() as store:
            raise KeyboardInterrupt
    with pytest.raises(StoreMissing):
        async with open_store(f"sqlite:///{path.parent}/none/x.db"):
            pass
    assert threading.enumerate() == threads
    if files:
        assert len(os.listdir("/proc/self/fd")) == files
    assert sorted(p.name for p in path.parent.iterdir()) == ["events.db", "events.db.lock"]


async def test_a_failed_opening_frees_the_lock(opener: Opener) -> None:
    """When opening fails after the lock was taken, the next one finds it free."""
    async with opener():
        pass
    with pytest.raises(eventstore.BadTable):
        async with opener(tables=[Table("items", ranked=True)]):
            pass
    async with opener() as store:
        assert (await store.head()).last == 0


async def test_a_cancelled_close_goes_on(opener: Opener) -> None:
    """Cancelling whoever closes the store does not leave it half closed."""
    async with opener() as store:
        await fill(store, 40)
        closing = asyncio.ensure_future(store.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
    async with opener() as store:
        assert (await store.head()).last == 40
