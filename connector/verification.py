"""Whether a log is what was written: from its store or from an exported file, with or without
anchors.

Everything is read and nothing changed; a store may be verified beside the service that writes it.
What does not fit is named by its first position. Against anchors that is the first anchor that the
log does not hold; whatever was rewritten lies behind the last one that it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

import eventstore
from connector import paging
from connector.anchors import Anchor
from connector.archive import ArchiveBroken
from connector.archive.errors import CutAtOnce
from connector.archive.files import open_for_reading
from connector.archive.reading import Archive

Count = Callable[[int, int], None]


class Verdict(msgspec.Struct, frozen=True):
    """What a check found. `events`: that hang together. `broken_at`: the first position that does
    not fit, or None. `first`: where the log begins that was checked. `anchor`: the newest position
    that an anchor was compared at; `agrees_upto`: the newest of them that fits.
    """

    ok: bool
    events: int
    head: int
    hash: str
    broken_at: int | None = None
    why: str = ""
    anchor: int | None = None
    agrees_upto: int = 0
    first: int = 1


async def verify_store(url: str, anchors: Sequence[Anchor], count: Count) -> Verdict:
    """Verify the store at `url`, read-only. Raises the store's errors but ChainBroken."""
    async with eventstore.open_store(url, read_only=True) as store:
        head = await store.head()
        verdict = Verdict(ok=True, events=0, head=head.last, hash=head.digest.hex())
        try:
            events = await store.verify(told=lambda done: count(done, max(done, head.last)))
        except eventstore.ChainBroken as broken:
            return msgspec.structs.replace(
                verdict,
                ok=False,
                events=max(0, broken.position - 1),
                broken_at=broken.position,
                why=str(broken),
            )
        verdict = msgspec.structs.replace(verdict, events=events)
        wanted = [anchor for anchor in anchors if anchor.head]
        commits = await paging.commits(store, [anchor.head for anchor in wanted])
        found = {commit.last: commit.digest.hex() for commit in commits if commit is not None}
    return _against(verdict, wanted, found)


async def verify_file(path: Path, anchors: Sequence[Anchor], count: Count) -> Verdict:
    """Verify an exported log. Raises Misconfigured for a file that cannot be read or is none."""
    file = await asyncio.to_thread(open_for_reading, path)
    with file:
        try:
            archive = await asyncio.to_thread(Archive, path, file)
        except CutAtOnce as cut:
            return Verdict(ok=False, events=0, head=0, hash="", broken_at=1, why=str(cut.what))
        begins = archive.begins
        found = {begins.last: begins.digest.hex()}
        wanted = {anchor.head for anchor in anchors}
        why, broken_at = "", 0
        try:
            while page := await asyncio.to_thread(archive.page):
                for commit in page:
                    if commit.last in wanted:
                        found[commit.last] = commit.digest.hex()
                count(archive.place.last, 0)
        except ArchiveBroken as broken:
            why, broken_at = f"{broken.where}: {broken.what}", broken.position
    place = archive.place
    if not why and not archive.complete:
        why = "the file ends there without its last line: it was cut off"
        broken_at = place.last + 1
    verdict = Verdict(
        ok=not why,
        events=place.last - begins.last,
        head=place.last,
        hash=place.digest.hex(),
        broken_at=broken_at if why else None,
        why=why,
        first=begins.last + 1,
    )
    if why:
        return verdict
    return _unproved(archive, _file_against(verdict, anchors, begins.last, found))


def _file_against(
    verdict: Verdict, anchors: Sequence[Anchor], after: int, found: dict[int, str]
) -> Verdict:
    """The verdict on a file that begins behind `after`; `found`: commit end to digest."""
    if not anchors:
        return verdict
    inside = [anchor for anchor in anchors if max(after, 1) <= anchor.head <= verdict.head]
    if not inside:
        return msgspec.structs.replace(
            verdict,
            ok=False,
            why=f"no anchor lies within positions {verdict.first} to {verdict.head}: they say "
            "nothing about this file, or it was cut off",
            broken_at=verdict.head + 1,
        )
    return _against(verdict, inside, found)


def _unproved(archive: Archive, verdict: Verdict) -> Verdict:
    """The verdict, unless the file owns to events whose erasure lies behind its end."""
    count = archive.blanks.count
    if not count or not verdict.ok:
        return verdict
    return msgspec.structs.replace(
        verdict,
        ok=False,
        broken_at=archive.blanks.first,
        why=f"{count} events from there on are blank; by erasures, the file says, that lie behind "
        f"its end ({verdict.head}), so that it alone does not prove it: export the log to its end, "
        "or import all its parts and verify the store",
    )


def _against(verdict: Verdict, anchors: Sequence[Anchor], found: dict[int, str]) -> Verdict:
    """The verdict with these anchors, by position; `found`: commit end to digest."""
    agrees = 0
    for anchor in anchors:
        if found.get(anchor.head) != anchor.hash.lower():
            behind = f"; up to {agrees} it is as published" if agrees else ""
            return msgspec.structs.replace(
                verdict,
                ok=False,
                broken_at=min(anchor.head, verdict.head + 1),
                why=_difference(anchor, verdict.head, found) + behind,
                anchor=anchor.head,
                agrees_upto=agrees,
            )
        agrees = anchor.head
    return msgspec.structs.replace(verdict, anchor=agrees or None, agrees_upto=agrees)


def _difference(anchor: Anchor, head: int, found: dict[int, str]) -> str:
    if anchor.head > head:
        return f"the log ends at {head}, but position {anchor.head} was published: it was cut off"
    if anchor.head not in found:
        return f"position {anchor.head} was the end of a commit when published, and is not now"
    return f"the digest at {anchor.head} is not the published one: history was rewritten"
