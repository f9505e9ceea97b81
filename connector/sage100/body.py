"""The bytes of an answer's body, unpacked under a bound.

aiohttp would unpack gzip by itself and without a bound; a few kilobytes can unpack to gigabytes.
Here every piece handed on is small and counted, so a bomb ends at the bound, not in memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from connector.sage100.errors import BadAnswer, Call, CutShort, TooLarge

_PIECE_BYTES: Final = 64 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS


class Unpacker:
    """Turns received chunks into pieces of the plain body, at most `max_bytes` in all."""

    def __init__(self, call: Call, encoding: str, max_bytes: int) -> None:
        self._call = call
        self._left = max_bytes
        self._max_bytes = max_bytes
        self._gzip = None
        if encoding == "gzip":
            self._gzip = zlib.decompressobj(_GZIP)
        elif encoding not in {"", "identity"}:
            raise BadAnswer(
                f"The answer is packed as {call.excerpt(encoding, 40)!r}; only gzip was offered.",
                call,
            )

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What this chunk unpacks to. Raises TooLarge beyond the bound, BadAnswer for no gzip."""
        if self._gzip is None:
            for start in range(0, len(chunk), _PIECE_BYTES):
                yield self._counted(chunk[start : start + _PIECE_BYTES])
            return
        more = bool(chunk)
        while more:
            try:
                piece = self._gzip.decompress(chunk, _PIECE_BYTES)
            except zlib.error as problem:
                raise BadAnswer(f"The answer is not gzip: {problem}.", self._call) from None
            if self._gzip.unused_data:
                raise BadAnswer("The answer goes on after the end of its gzip data.", self._call)
            chunk = self._gzip.unconsumed_tail
            more = bool(chunk) or len(piece) == _PIECE_BYTES  # zlib may hold output back
            if piece:
                yield self._counted(piece)

    def finish(self) -> None:
        """The body has ended. Raises CutShort when its gzip data has not."""
        if self._gzip is not None and not self._gzip.eof:
            raise CutShort("The answer's gzip data ends in the middle.", self._call)

    def _counted(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise TooLarge(f"The answer is larger than {self._max_bytes} bytes.", self._call)
        return piece
