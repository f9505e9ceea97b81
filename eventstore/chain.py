"""The hash chain, pure: which bytes a commit's digest covers, and how to check them.

Anyone with `sqlite3` and SHA-256 can verify a store without this program. Numbers are signed
64-bit big-endian, lengths unsigned 32-bit big-endian, text is UTF-8. For each row of `commits`
in order of `last_position`, `digest` is the SHA-256 of these bytes, one after the other:

    previous commit's digest             32 bytes; 32 zero bytes before the first commit
    first_position, last_position, recorded_at        three numbers
    length of meta, then meta            as stored
    then for each event first_position … last_position in order:
        position, version, schema, cause              four numbers, cause 0 when NULL
        length of the stream's name, length of the type
        the stream's name, the type
        payload digest                   32 bytes

The payload digest is SHA-256(salt ‖ data) with the event's own 16 random bytes of salt. Erasure
keeps the payload digest in `events.digest` and blanks `salt` and `data` together, so that the
chain still verifies, while the digest can no longer be tried against guesses of the payload. That
a blank event was lawfully blanked is proved by the record of its erasure (blanks.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from struct import Struct

from .errors import ChainBroken
from .types import NewEvent

GENESIS = bytes(32)
SALT_LENGTH = 16

_NOT_APPENDED = "its salt or digest is not as an append leaves it"

_pack_event = Struct(">qqqqII").pack
_pack_commit = Struct(">qqqI").pack

CommitRow = tuple[int, int, int, bytes, bytes]
"""first_position, last_position, recorded_at, meta, digest."""

EventRow = tuple[
    int, bytes | None, int, bytes, int, int | None, bytes | None, bytes | None, bytes | None
]
"""position, stream, version, type, schema, cause, salt, data, digest."""


def make_salts(count: int, random_bytes: Callable[[int], bytes]) -> list[bytes]:
    """Salts for `count` payloads."""
    pool = random_bytes(SALT_LENGTH * count)
    return [pool[at : at + SALT_LENGTH] for at in range(0, len(pool), SALT_LENGTH)]


def payload_digest(salt: bytes, data: bytes) -> bytes:
    """The 32 bytes that stand for a payload in the chain, and in its place once it is erased."""
    return sha256(salt + data).digest()


def links(
    first: int, events: Sequence[NewEvent], versions: Sequence[int], salts: Sequence[bytes]
) -> list[bytes]:
    """What events, the first at position `first`, add to the digest of their commit."""
    covered: list[bytes] = []
    position = first
    for event, version, salt in zip(events, versions, salts, strict=True):
        stream = event.stream.encode()
        type_ = event.type.encode()
        cause = event.cause or 0
        covered += (
            _pack_event(position, version, event.schema, cause, len(stream), len(type_)),
            stream,
            type_,
            sha256(salt + event.data).digest(),
        )
        position += 1
    return covered


def commit_digest(
    previous: bytes,
    first: int,
    last: int,
    recorded_at_us: int,
    meta: bytes,
    covered: Iterable[bytes],
) -> bytes:
    """The digest of one commit, given the digest before it and what its events add."""
    header = _pack_commit(first, last, recorded_at_us, len(meta))
    return sha256(b"".join((previous, header, meta, *covered))).digest()


def check_commit(
    after: int, previous: bytes, commit: CommitRow, events: Sequence[EventRow]
) -> None:
    """Check one stored commit against the one before it, which ends at position `after`.

    Raises ChainBroken: with the event's position where a row by itself shows the fault, else
    with the first position of the commit, since one digest covers them all.
    """
    first, last, recorded_at_us, meta, digest = commit
    if first != after + 1 or last < first:
        raise ChainBroken(after + 1, f"its commit says {first} to {last}")
    covered: list[bytes] = []
    position = first
    for row in events:
        at, stream, version, type_, schema, cause, salt, data, blank = row
        if at != position or position > last:
            break
        # The ordinary event, in line: a long log is one of these after the other.
        if stream and data is not None and salt is not None and len(salt) == SALT_LENGTH:
            if blank is not None:
                raise ChainBroken(position, _NOT_APPENDED)
            covered += (
                _pack_event(position, version, schema, cause or 0, len(stream), len(type_)),
                stream,
                type_,
                sha256(salt + data).digest(),
            )
        else:
            covered += _checked_link(row)
        position += 1
    if position != last + 1:
        raise ChainBroken(position, "the event is missing")
    if commit_digest(previous, first, last, recorded_at_us, meta, covered) != digest:
        raise ChainBroken(first, f"the digest of its commit ({first} to {last}) does not match")


def _checked_link(row: EventRow) -> tuple[bytes, ...]:
    position, stream, version, type_, schema, cause, salt, data, digest = row
    if stream is None:
        raise ChainBroken(position, "its stream is missing")
    if data is None:
        if salt is not None or digest is None or len(digest) != len(GENESIS):
            raise ChainBroken(position, "it is blank but not as an erasure leaves it")
        payload = digest
    else:
        # A salt of another length could trade bytes with the data under one and the same digest.
        if digest is not None or salt is None or len(salt) != SALT_LENGTH:
            raise ChainBroken(position, _NOT_APPENDED)
        payload = payload_digest(salt, data)
    header = _pack_event(position, version, schema, cause or 0, len(stream), len(type_))
    return header, stream, type_, payload
