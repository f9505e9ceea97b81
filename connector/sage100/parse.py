"""Answers of the agent, read while they arrive, by a parser that trusts nothing.

Before anything else sees a byte, the prolog is read here: the text must be UTF-8, and a DTD is
refused whatever it says (entities, external files and their bombs all need one). A page is then
kept until it has ended, and its rows are cut out of it (see `plain_rows`); one that is large, or
not in the plain form, and every other answer goes to libxml2 as it comes, and nothing of ours runs
until it has ended: a callback per element would cost as much again as the parsing. Then the cells
are taken out of the tree in one go. Bounds: size (see `body`), elements and attributes (they are
counted before there is a tree of them), depth (libxml2's 256, and rows hold cells that hold text),
rows per page, columns, and the prolog itself.
"""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from connector.sage100 import plain_rows
from connector.sage100.contract import MAX_COLUMNS, NAMESPACE, SOAP, AgentInfo, Page
from connector.sage100.describe import info_of, local_time
from connector.sage100.errors import (
    AgentError,
    BadAnswer,
    Call,
    CutShort,
    NotTheAgent,
    TooLarge,
    fault,
    told_wait_s,
)

KEPT_BYTES: Final = 1024 * 1024  # of a page, until it has ended: a full one has some 500 KiB
MAX_MARKUP: Final = 500_000  # of "<" and "=" in an answer: some 60 MB of libxml2's nodes
_FED_BYTES: Final = 16 * 1024  # libxml2 is a third slower on pieces of 64 KiB
_PROLOG_BYTES: Final = 4_096
_HEAD_BYTES: Final = 512  # kept for messages
_TAIL_BYTES: Final = 64
_ENDED: Final = re.compile(rb"</(?:[\w.-]+:)?Envelope\s*>\s*\Z")
_BOM: Final = b"\xef\xbb\xbf"
_HTML: Final = b"<!doctype html"
_A: Final = f"{{{NAMESPACE}}}"
_SOAP: Final = f"{{{SOAP}}}"
_ROW: Final = f"{_A}Row"
_SKIPPED: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*)*", re.DOTALL)
_DECLARED: Final = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]*)", re.ASCII)


class AnswerReader:
    """Takes one answer piece by piece; `info` or `page` give what it says, once it has ended.

    `max_rows`: how many rows a page may hold. `kept_bytes`: how large it may be for its rows to be
    cut out of it. Every method raises AgentErrors that name `call`.
    """

    def __init__(self, call: Call, *, max_rows: int = 0, kept_bytes: int = KEPT_BYTES) -> None:
        self._call = call
        self._max_rows = max_rows
        self._head = b""
        self._tail = b""
        self._prolog: bytes | None = b""  # None once the root element has begun
        self._markup = 0
        self._kept: list[bytes] = []
        self._room = kept_bytes if max_rows else 0
        self._columns: tuple[str, ...] = ()
        self._fields: dict[str, str] = {}
        self._parser = _parser()

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the answer."""
        if len(self._head) < _HEAD_BYTES:
            self._head += piece[: _HEAD_BYTES - len(self._head)]
        self._tail = (self._tail + piece[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        if self._prolog is not None:
            self._prolog += piece
            if not self._root_begins(self._prolog):
                return
            piece, self._prolog = self._prolog, None
        self._kept.append(piece)
        self._room -= len(piece)
        if self._room < 0:
            self._parse_kept()

    def info(self) -> AgentInfo:
        """What GetInfo answered."""
        return info_of(self._result("Info"), self._call)

    def page(self) -> Page:
        """What ReadPage or ReadRow answered."""
        rows = self._cut_rows() or self._rows_of(self._result("Page"))
        if not self._columns:
            raise self._bad("The page names no columns.")
        if len(rows) > self._max_rows:
            raise self._bad(f"The page holds more than the {self._max_rows} rows asked for.")
        fields = self._fields
        try:
            return Page(
                columns=self._columns,
                rows=rows,
                next=fields.get("Next") or None,
                complete=_flag(fields.get("Complete", "false")),
                scanned=int(fields.get("Scanned", "0")),
                scan_limit_reached=_flag(fields.get("ScanLimitReached", "false")),
                server_time=local_time(fields.get("ServerTime", "")),
            )
        except ValueError as problem:
            raise self._bad(f"The page's end cannot be read: {problem}.") from None

    def fault(self) -> AgentError:
        """What the fault says that the agent answered with."""
        try:
            self._result("")
        except AgentError as said:
            return said
        return self._bad("The agent answered with a failure status and no fault.")

    def _parse_kept(self) -> None:
        kept, self._kept = b"".join(self._kept), []
        # Every element has a "<" and every attribute a "=": libxml2 makes no more nodes than that.
        self._markup += kept.count(b"<") + kept.count(b"=")
        if self._markup > MAX_MARKUP:
            raise TooLarge(f"The answer holds more than {MAX_MARKUP:,} tags.", self._call)
        try:
            for start in range(0, len(kept), _FED_BYTES):
                self._parser.feed(kept[start : start + _FED_BYTES])
        except etree.XMLSyntaxError as problem:
            raise self._bad(f"The answer is not well-formed XML: {problem}.") from None

    def _root_begins(self, prolog: bytes) -> bool:
        """Whether the root's tag has begun; refuses everything else than XML's harmless opening."""
        if b"\x00" in prolog or prolog.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise self._bad("The answer is not UTF-8.")
        skipped = _SKIPPED.match(prolog)
        rest = prolog[skipped.end() :] if skipped else prolog
        start = rest[: len(_HTML)].lower()
        if start == _HTML or start.startswith(b"<html"):
            raise NotTheAgent(f"An HTML page came: {self._shown()}", self._call)
        if len(start) == len(_HTML) and start.startswith(b"<!doctype"):
            raise self._bad("The answer holds a DTD, which is refused whatever it says.")
        if not rest.startswith(b"<") and not _BOM.startswith(rest):
            raise self._bad("The answer is not XML.")
        if len(start) == len(_HTML) and not rest.startswith((b"<!", b"<?")):
            declared = _DECLARED.match(prolog.removeprefix(_BOM))
            if declared and declared[1].lower() not in {b"utf-8", b"utf8", b"us-ascii"}:
                raise self._bad("The answer is not UTF-8.")
            return True
        if len(prolog) > _PROLOG_BYTES:
            raise self._bad("The answer does not begin within a reasonable length.")
        return False

    def _cut_rows(self) -> list[tuple[str, ...]] | None:
        """The rows of a kept page in plain form; the page's own values go to `_fields`."""
        kept = self._kept
        plain = plain_rows.cut(b"".join(kept)) if kept else None
        if plain is None:
            return None
        self._kept = [plain.rest]
        if self._rows_of(self._result("Page")) == plain.rows[:1]:
            return plain.rows
        # What looks like rows are none: they stand in a comment, or some stand elsewhere.
        self._kept, self._parser = kept, _parser()
        self._markup, self._columns, self._fields = 0, (), {}
        return None

    def _rows_of(self, page: etree._Element) -> list[tuple[str, ...]]:
        """The cells of every row; the page's own values go to `_fields`."""
        texts = tuple([element.text or "" for element in page.iter()])  # in document order
        rows: list[tuple[str, ...]] = []
        at, width = 1, 0
        for child in page:
            begins = at + 1
            if child.tag != _ROW:
                width = self._take_field(child) or width
                at = begins
                continue
            at = begins + len(child)
            if at != begins + width:
                raise self._bad(f"Row {len(rows) + 1} has {len(child)} cells for {width} columns.")
            rows.append(texts[begins:at])
        if at != len(texts):
            raise self._bad("A cell holds elements instead of text.")
        return rows

    def _take_field(self, child: etree._Element) -> int:
        """Keep one of the page's own values; the number of columns when it names them."""
        name = str(child.tag).removeprefix(_A)
        if name in self._fields or len(child):
            raise self._bad(f"The page holds {self._call.excerpt(name)} twice, or not as text.")
        self._fields[name] = child.text or ""
        if name != "Columns":
            return 0
        self._columns = tuple((child.text or "").split())
        if not 0 < len(self._columns) <= MAX_COLUMNS:
            raise self._bad(f"The page names {len(self._columns)} columns.")
        if len(set(self._columns)) != len(self._columns):
            raise self._bad("The page names a column twice.")
        return len(self._columns)

    def _result(self, name: str) -> etree._Element:
        """The result's element inside a complete envelope; a fault is raised as its error."""
        if self._prolog is not None:
            shown = f" It begins: {self._shown()}" if self._head else " It is empty."
            raise CutShort(f"The answer ends before any element.{shown}", self._call)
        self._parse_kept()
        try:
            root = self._parser.close()
        except etree.XMLSyntaxError as problem:
            if _ENDED.search(self._tail):  # all of it came: libxml2 reports some errors late
                raise self._bad(f"The answer is not well-formed XML: {problem}.") from None
            raise CutShort(
                f"The answer ends in the middle; it begins: {self._shown()}", self._call
            ) from None
        body = root.find(f"{_SOAP}Body") if root.tag == f"{_SOAP}Envelope" else None
        if body is None or len(body) != 1:
            raise self._bad("The answer is no SOAP 1.1 envelope with one body element.")
        if body[0].tag == f"{_SOAP}Fault":
            raise self._fault_of(body[0])
        response = f"{self._call.operation}Response"
        if body[0].tag != _A + response or len(body[0]) != 1 or body[0][0].tag != _A + name:
            raise self._bad(f"The answer holds no {response}.")
        return body[0][0]

    def _fault_of(self, element: etree._Element) -> AgentError:
        detail = element.find(f"detail/{_A}AgentFault")
        if detail is None:
            text = element.findtext("faultstring") or "no reason"
            return fault(self._call, element.findtext("faultcode") or "", text, None, None)
        said = {str(child.tag).removeprefix(_A): child.text or "" for child in detail}
        retryable = said.get("Retryable", "").strip()
        return fault(
            self._call,
            self._call.excerpt(said.get("Code", ""), 40),
            said.get("Message", ""),
            retryable in {"true", "1"} if retryable else None,
            told_wait_s(said.get("RetryAfterSeconds", "")),
        )

    def _bad(self, what: str) -> BadAnswer:
        return BadAnswer(f"{what} It begins: {self._shown()}", self._call)

    def _shown(self) -> str:
        return self._call.excerpt(self._head)


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        load_dtd=False,
        dtd_validation=False,
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )


def _flag(text: str) -> bool:
    """An xs:boolean. Raises ValueError."""
    try:
        return {"true": True, "1": True, "false": False, "0": False}[text.strip()]
    except KeyError:
        raise ValueError(f"{text[:20]!r} is neither true nor false") from None
