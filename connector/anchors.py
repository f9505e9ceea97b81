"""Anchors: the log's head and digest, written where whoever runs the database cannot write.

The chain alone shows that history hangs together; whoever rewrites the whole log can rewrite the
chain with it. What was published before cannot be taken back: a log that does not hold an anchor
was rewritten at or before it. Anchors go to a file that only grows, to a program's standard input
(an object lock, a mail, another machine's log), or to both, on a schedule of their own.

A failure to publish is logged and never stops the service; the next time comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import msgspec

from connector.config.settings import AnchorSettings
from connector.errors import ConnectorError, Misconfigured
from connector.keeping import shielded
from connector.sage100.schedule import schedule
from connector.waiting import rest
from eventstore import EventStore

_MODE: Final = 0o600
_LARGEST_BYTES: Final = 64 << 20
_COMPLAINT_BYTES: Final = 2_000
_CHUNK: Final = 65_536
_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
_UTC: Final = ZoneInfo("UTC")
_log: Final = logging.getLogger(__name__)


class Anchor(msgspec.Struct, frozen=True):
    """What is published: the log's head, its digest in hexadecimal, and when (UTC)."""

    head: Annotated[int, msgspec.Meta(ge=0)]
    hash: Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{64}$")]
    at: str = ""


class Published(msgspec.Struct, frozen=True):
    """Anchors by position, at least one; `skipped`: the numbers of lines that are none, since a
    crash or a full disk tore them.
    """

    anchors: list[Anchor]
    skipped: list[int] = []


class NotPublished(ConnectorError):
    """The anchor could not be published."""

    category = "anchor"
    default_remedy = "Correct [anchors]; the next anchor is tried on schedule."


def read_published(path: Path) -> Published:
    """What a file holds: lines as `[anchors] file` has them, or one document of `verify --json` or
    `status --json`. Raises Misconfigured, also when there is no anchor in it: it says nothing.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES)
    except OSError as problem:
        raise Misconfigured(
            f"the anchor cannot be read: {problem.strerror}",
            where=str(path),
            remedy="--anchor names a file that [anchors] or 'ml-connector verify --json' wrote.",
        ) from None
    try:
        found = _parsed(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise _no_anchor(path, f"this is no anchor: {problem}") from None
    # The head of an empty log is nothing that a log could fail to hold.
    anchors = sorted((one for one in found.anchors if one.head), key=lambda anchor: anchor.head)
    if not anchors:
        torn = f"; {len(found.skipped)} lines are none" if found.skipped else ""
        raise _no_anchor(path, f"there is no anchor in it{torn}")
    return Published(anchors, found.skipped)


def _no_anchor(path: Path, what: str) -> Misconfigured:
    return Misconfigured(
        what,
        where=str(path),
        remedy='An anchor holds {"head": POSITION, "hash": "HEX"}, as verify --json prints.',
    )


def _parsed(content: bytes) -> Published:
    """Raises MsgspecError for a single document or line that is no anchor."""
    try:
        document = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        if b"\n" not in content:
            raise
    else:
        return Published([msgspec.json.decode(document.get("log", content), type=Anchor)])
    anchors: list[Anchor] = []
    skipped: list[int] = []
    for number, line in enumerate(content.split(b"\n"), 1):
        try:
            if line.strip():
                anchors.append(msgspec.json.decode(line, type=Anchor))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            skipped.append(number)
    return Published(anchors, skipped)


async def keep(
    store: EventStore,
    settings: AnchorSettings,
    stop: asyncio.Event,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    env: Mapping[str, str] = os.environ,
) -> None:
    """Publish at once and then on schedule, whenever the log has grown; until `stop`."""
    if not settings.wanted:
        return
    when = schedule(settings.schedule, where="[anchors]")
    published = -1

    async def turn() -> None:
        nonlocal published
        published = await publish(store, settings, published=published, now=now, env=env)

    while not stop.is_set():
        due = when.next_due(now(), _UTC)
        await shielded(turn, "publishing an anchor")
        wait_s = max(0.0, (due - now()) / timedelta(seconds=1))
        await rest(stop, wait_s)


async def publish(
    store: EventStore,
    settings: AnchorSettings,
    *,
    published: int = -1,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    env: Mapping[str, str] = os.environ,
) -> int:
    """Publish the head unless it is `published` already; the head that is published now.

    Never raises for what is wrong with the file or the program: that is logged.
    """
    if not settings.wanted:
        return published
    head = await store.head()
    if head.last in {published, 0}:
        return published
    at = now().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    line = msgspec.json.encode(Anchor(head.last, head.digest.hex(), at)) + b"\n"
    failed = False
    for attempt in (_to_file(settings, line), _to_command(settings, line, env)):
        try:
            await attempt
        except NotPublished as problem:
            failed = True
            _log.error("anchor at position %d: %s", head.last, problem)
    return published if failed else head.last


async def _to_file(settings: AnchorSettings, line: bytes) -> None:
    if settings.file is not None:
        await asyncio.to_thread(_append, settings.file, line)


def _append(path: Path, line: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, _MODE)
        try:
            with contextlib.suppress(PermissionError):  # of another owner, who may decide
                os.fchmod(fd, _MODE)
            if _is_torn(path):  # what was cut off there must not swallow this one
                line = b"\n" + line
            written = os.write(fd, line)
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as problem:
        raise NotPublished(f"it cannot be appended: {problem.strerror}", where=str(path)) from None
    if written != len(line):
        raise NotPublished("the disk took only a part of it", where=str(path))


def _is_torn(path: Path) -> bool:
    """Whether the file ends in the middle of a line, or may do so."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - 1))
            return file.read(1) not in {b"", b"\n"}
    except OSError:
        return True


async def _to_command(settings: AnchorSettings, line: bytes, env: Mapping[str, str]) -> None:
    """Run the program itself (no shell) with the anchor on its standard input, without secrets."""
    if not settings.command:
        return
    where = settings.command[0]
    try:
        process = await asyncio.create_subprocess_exec(
            *settings.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={name: env[name] for name in _PASSED_ON if name in env},
            start_new_session=True,
        )
    except OSError as problem:
        raise NotPublished(f"it cannot be started: {problem.strerror}", where=where) from None
    try:
        async with asyncio.timeout(settings.timeout.total_seconds()):
            complaint = await _told(process, line)
            code = await process.wait()
    except BaseException as problem:  # cancelled, too: it must not outlive us
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # and whatever it has started
        if not isinstance(problem, TimeoutError):
            raise
        raise NotPublished(
            f"it did not end within {settings.timeout.total_seconds():.0f} s and was stopped",
            where=where,
        ) from None
    finally:
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - its pipes
    if code:
        raise NotPublished(f"it ended with {code}: {complaint or 'it said nothing'}", where=where)


async def _told(process: asyncio.subprocess.Process, line: bytes) -> str:
    """Hand it the line; the beginning of what it says on standard error."""
    if process.stdin is None or process.stderr is None:
        return ""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(line)
        await process.stdin.drain()
    process.stdin.close()
    said = b""
    while chunk := await process.stderr.read(_CHUNK):
        said += chunk[: _COMPLAINT_BYTES - len(said)]
    return " ".join(said.decode("utf-8", "replace").split())
