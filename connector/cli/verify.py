"""`verify`: the hash chain, checked offline, and against what was published elsewhere.

The chain alone shows that history hangs together; whoever rewrote the whole file could have
rewritten the chain. A digest kept where that person cannot write (`--anchor`) shows that too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

import eventstore
from connector.cli import output
from connector.cli.session import AsJson, load, run_async
from connector.errors import Misconfigured


class Anchor(msgspec.Struct, frozen=True):
    """What was published: the log's head and its digest in hexadecimal."""

    head: int
    hash: str


class Verdict(msgspec.Struct, frozen=True):
    """What the check found. `broken_at`: the first position that does not fit, or None."""

    ok: bool
    events: int
    head: int
    hash: str
    broken_at: int | None = None
    why: str = ""
    anchor: int | None = None


def verify(
    ctx: typer.Context,
    anchor: Annotated[
        Path | None,
        typer.Option(
            "--anchor", metavar="FILE", help="An earlier 'verify --json' or 'status --json'."
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="URL", help="This store; no configuration is needed."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the log's hash chain; exit 1 and name the first broken position."""
    url = store or load(ctx).store.url
    published = None if anchor is None else read_anchor(anchor)
    verdict = run_async(check(url, published))
    if as_json:
        output.document(verdict)
    else:
        output.say(_sentence(verdict))
    if not verdict.ok:
        raise typer.Exit(1)


async def check(url: str, anchor: Anchor | None) -> Verdict:
    """Verify the store at `url`, read-only, beside a running service if need be."""
    async with eventstore.open_store(url, read_only=True) as store:
        head = await store.head()
        verdict = Verdict(ok=True, events=0, head=head.last, hash=head.digest.hex())
        try:
            events = await store.verify()
        except eventstore.ChainBroken as broken:
            return msgspec.structs.replace(
                verdict, ok=False, broken_at=broken.position, why=str(broken)
            )
        verdict = msgspec.structs.replace(verdict, events=events)
        if anchor is None:
            return verdict
        why = await _against(store, anchor, head.last)
        return msgspec.structs.replace(
            verdict,
            ok=not why,
            why=why,
            anchor=anchor.head,
            broken_at=min(anchor.head, head.last + 1) if why else None,
        )


async def _against(store: eventstore.EventStore, anchor: Anchor, head: int) -> str:
    """Why the log is not the one that was published, "" when it is."""
    if anchor.head == 0:
        return ""
    if anchor.head > head:
        return f"the log ends at {head}, but position {anchor.head} was published: it was cut off"
    [commit] = await store.commits([anchor.head])
    if commit is None or commit.last != anchor.head:
        return f"position {anchor.head} was the end of a commit when published, and is not now"
    if commit.digest.hex() != anchor.hash.lower():
        return f"the digest at {anchor.head} is not the published one: history was rewritten"
    return ""


def read_anchor(path: Path) -> Anchor:
    """The anchor in a JSON file, at its top or under "log". Raises Misconfigured."""
    try:
        document: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        return msgspec.convert(document.get("log", document), Anchor)
    except OSError as problem:
        raise Misconfigured(
            f"the anchor cannot be read: {problem.strerror}",
            where=str(path),
            remedy="--anchor names a file that 'ml-connector verify --json' wrote earlier.",
        ) from None
    except msgspec.MsgspecError as problem:
        raise Misconfigured(
            f"this is no anchor: {problem}",
            where=str(path),
            remedy='An anchor holds {"head": POSITION, "hash": "HEX"}, as verify --json prints.',
        ) from None


def _sentence(verdict: Verdict) -> str:
    if verdict.ok:
        anchored = f", and holds what was published at {verdict.anchor:,}" if verdict.anchor else ""
        return (
            f"ok: {verdict.events:,} events hang together{anchored}; "
            f"head {verdict.head:,}, digest {verdict.hash}"
        )
    return f"BROKEN at position {verdict.broken_at}: {verdict.why}"
