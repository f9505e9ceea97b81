"""Exported logs of any content, and any damage to them: what is read was written, or it is told."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector import verification
from connector.archive import NotThisLog, lines
from connector.archive.reading import Archive
from eventstore import NewEvent, SealedCommit, SealedEvent, open_store

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
payloads = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"{}", b" {}", b"[1,\n2]", b"null", b'"\xc3\xa4"', b'"\xed\xa0\x80"', b"1."]),
)


@st.composite
def commits(draw: st.DrawFn) -> SealedCommit:
    """A commit of any content; its digest is none."""
    first = draw(st.integers(1, 2**60))
    count = draw(st.integers(1, 4))
    events = []
    for position in range(first, first + count):
        blank = draw(st.booleans())
        events.append(
            SealedEvent(
                position,
                draw(texts),
                draw(st.integers(1, 2**62)),
                draw(texts),
                draw(st.integers(1, 99)),
                draw(st.none() | st.integers(1, first)),
                None if blank else draw(st.binary(min_size=16, max_size=16)),
                None if blank else draw(payloads),
                draw(st.binary(min_size=32, max_size=32)) if blank else None,
            )
        )
    return SealedCommit(
        first=first,
        last=first + count - 1,
        recorded_at_us=draw(st.integers(0, 2**60)),
        meta=draw(payloads),
        digest=draw(st.binary(min_size=32, max_size=32)),
        events=tuple(events),
    )


@given(commits())
def test_lines_hold_a_commit_exactly(commit: SealedCommit) -> None:
    """Any payload, name and number comes back from its lines as it was; one line each."""
    content = lines.commit_lines(commit)
    head, *rest = (lines.read_line(line) for line in content.removesuffix(b"\n").split(b"\n"))
    assert isinstance(head, lines.CommitLine)
    events = [line for line in rest if isinstance(line, lines.EventLine)]
    assert len(events) == len(rest) == len(commit.events)
    assert lines.sealed(head, events) == commit


def exported() -> tuple[bytes, list[SealedCommit]]:
    """A small exported log, and what it holds."""

    async def work() -> list[SealedCommit]:
        with tempfile.TemporaryDirectory() as name:
            async with open_store(f"sqlite:///{name}/events.db") as store:
                for number in range(4):
                    new = [NewEvent(f"s/{n}", "T", b'{"n":%d}' % n) for n in range(number + 1)]
                    await store.append(new)
                return await store.sealed(0)

    found = asyncio.run(work())
    last = found[-1]
    content = lines.header_line(0, bytes(32))
    content += b"".join(lines.commit_lines(commit) for commit in found)
    return content + lines.end_line(last.last, last.digest), found


CONTENT, HELD = exported()
damages = st.lists(
    st.tuples(
        st.sampled_from(["change", "insert", "remove", "cut", "repeat"]),
        st.integers(0, len(CONTENT) - 1),
        st.binary(min_size=1, max_size=6) | st.sampled_from([b"\n", b"9" * 30, b"{", b'"', b"-1"]),
    ),
    min_size=1,
    max_size=3,
)


def damaged(content: bytes, damage: list[tuple[str, int, bytes]]) -> bytes:
    """The bytes after these changes."""
    for what, at, some in damage:
        match what:
            case "change":
                content = content[:at] + some + content[at + len(some) :]
            case "insert":
                content = content[:at] + some + content[at:]
            case "remove":
                content = content[:at] + content[at + len(some) :]
            case "cut":
                content = content[:at]
            case _:
                content = content[:at] + content[at : at + 200] + content[at:]
    return content


@given(damages)
@settings(
    max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_any_damage_is_told(tmp_path: Path, damage: list[tuple[str, int, bytes]]) -> None:
    """Bytes changed anyhow give a verdict with a position, or a refusal; never another content."""
    file = tmp_path / "log"
    file.write_bytes(damaged(CONTENT, damage))

    def nothing(*_: Any) -> None:
        return None

    try:
        verdict = asyncio.run(verification.verify_file(file, [], nothing))
    except NotThisLog:
        return
    if verdict.ok:
        # Only what the format itself does not tell apart: capitals of hexadecimal, blanks.
        with file.open("rb") as opened:
            assert Archive(file, opened).page() == HELD
    else:
        assert verdict.why
        assert verdict.broken_at is not None
        assert 1 <= verdict.broken_at <= HELD[-1].last + 1
