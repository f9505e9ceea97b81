"""One line of an exported log, both ways.

Written by hand rather than by an encoder, so that the same log gives the same bytes for ever, and
payloads stand in the line exactly as they stand in the log: the chain covers their bytes. A payload
that is no JSON of one line (the store takes any bytes) stands there in base64 instead.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Final

import msgspec

from eventstore import SealedCommit, SealedEvent

FORMAT: Final = "ml-connector log"
VERSION: Final = 1
DIGEST_BYTES: Final = 32

_raw = msgspec.json.Decoder(msgspec.Raw).decode
_text = msgspec.json.Encoder().encode
_NONE: Final = msgspec.Raw(b"")


Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Place = Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line. `after`: the last position before the file's own, `digest`: the chain's
    there, in hexadecimal (64 zeros at the beginning of the log).
    """

    format: str
    version: int
    after: Number
    digest: str


class End(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last line: the file's last position, and the chain's digest there.

    `blank`: how many of its events are blank by erasures that lie behind it.
    """

    end: Number
    digest: str
    blank: Number = 0


class CommitLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The line before the events of a commit."""

    first: Place
    last: Place
    recorded_at_us: Number
    digest: str
    meta: msgspec.Raw = _NONE
    meta_base64: str = ""


class EventLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The line of an event: with `salt` and `data`, or with `digest` alone once it is erased."""

    position: Place
    stream: str
    version: Place
    type: str
    schema: Place
    cause: Place | None = None
    salt: str = ""
    data: msgspec.Raw = _NONE
    data_base64: str | None = None
    digest: str = ""


Line = Header | End | CommitLine | EventLine
# By how a line begins, the most frequent first.
_KINDS: Final[tuple[tuple[bytes, Callable[[bytes], Line]], ...]] = (
    (b'{"position":', msgspec.json.Decoder(EventLine).decode),
    (b'{"first":', msgspec.json.Decoder(CommitLine).decode),
    (b'{"end":', msgspec.json.Decoder(End).decode),
    (b'{"format":', msgspec.json.Decoder(Header).decode),
)


class NoLine(ValueError):
    """The bytes are no line of this format; the text says why."""


def header_line(after: int, digest: bytes) -> bytes:
    """The first line of a file whose positions begin behind `after`."""
    return b'{"format":%b,"version":%d,"after":%d,"digest":"%b"}\n' % (
        *(_text(FORMAT), VERSION, after, _hex(digest)),
    )


def end_line(last: int, digest: bytes, blank: int = 0) -> bytes:
    """The last line of a file that ends with position `last`; `blank` as in `End`."""
    rest = b',"blank":%d' % blank if blank else b""
    return b'{"end":%d,"digest":"%b"%b}\n' % (last, _hex(digest), rest)


def commit_lines(commit: SealedCommit) -> bytes:
    """A commit's own line and those of its events."""
    head = b'{"first":%d,"last":%d,"recorded_at_us":%d,"digest":"%b",%b}\n' % (
        *(commit.first, commit.last, commit.recorded_at_us, _hex(commit.digest)),
        _payload(b"meta", commit.meta),
    )
    return head + b"".join(_event_line(event) for event in commit.events)


def _event_line(event: SealedEvent) -> bytes:
    cause = b"" if event.cause is None else b',"cause":%d' % event.cause
    if event.data is None or event.salt is None:
        body = b'"digest":"%b"' % _hex(event.digest or b"")
    else:
        body = b'"salt":"%b",%b' % (_hex(event.salt), _payload(b"data", event.data))
    return b'{"position":%d,"stream":%b,"version":%d,"type":%b,"schema":%d%b,%b}\n' % (
        *(event.position, _text(event.stream), event.version, _text(event.type), event.schema),
        *(cause, body),
    )


def _hex(digest: bytes) -> bytes:
    return digest.hex().encode()


def _payload(name: bytes, data: bytes) -> bytes:
    if _stands_in_a_line(data):
        return b'"%b":%b' % (name, data)
    return b'"%b_base64":"%b"' % (name, b64encode(data))


def _stands_in_a_line(data: bytes) -> bool:
    """Whether the very same bytes come back when a reader takes the value out of the line."""
    if b"\n" in data or b"\r" in data:
        return False
    try:
        if not data.isascii():
            data.decode()
        return bytes(_raw(data)) == data
    except (UnicodeDecodeError, msgspec.MsgspecError):
        return False


def read_line(line: bytes) -> Line:
    """What a line (without its end) holds. Raises NoLine."""
    for begins, decode in _KINDS:
        if line.startswith(begins):
            try:
                found = decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
                raise NoLine(f"the line cannot be read ({problem})") from None
            if isinstance(found, Header) and (found.format, found.version) != (FORMAT, VERSION):
                raise NoLine(
                    f"the file is of format {found.format!r}, version {found.version}; "
                    f"this program reads {FORMAT!r}, version {VERSION}"
                )
            return found
    raise NoLine("the line is none of an exported log")


def sealed(head: CommitLine, lines: Sequence[EventLine]) -> SealedCommit:
    """The commit that these lines hold. Raises NoLine."""
    return SealedCommit(
        first=head.first,
        last=head.last,
        recorded_at_us=head.recorded_at_us,
        meta=_bytes_of(head.meta, head.meta_base64 or None) or b"",
        digest=digest_of(head.digest),
        events=tuple([_event(line) for line in lines]),
    )


def _event(line: EventLine) -> SealedEvent:
    try:
        salt = bytes.fromhex(line.salt) if line.salt else None
    except ValueError:
        raise NoLine(f"position {line.position}: its salt is not hexadecimal") from None
    return SealedEvent(
        position=line.position,
        stream=line.stream,
        version=line.version,
        type=line.type,
        schema=line.schema,
        cause=line.cause,
        salt=salt,
        data=_bytes_of(line.data, line.data_base64),
        digest=digest_of(line.digest) if line.digest else None,
    )


def _bytes_of(raw: msgspec.Raw, encoded: str | None) -> bytes | None:
    if encoded is None:
        return bytes(raw) or None
    try:
        return b64decode(encoded, validate=True)
    except ValueError:
        raise NoLine("a payload is not base64") from None


def digest_of(text: str) -> bytes:
    """The 32 bytes of a digest in hexadecimal. Raises NoLine."""
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_BYTES:
        raise NoLine(f"{text[:80]!r} is no SHA-256 in hexadecimal")
    return digest
