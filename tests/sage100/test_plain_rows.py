"""Rows cut out of an answer are those that an XML parser reads in it, or they are not cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.sage100 import plain_rows
from connector.sage100.contract import Page
from connector.sage100.errors import BadAnswer, Call, CutShort
from connector.sage100.parse import KEPT_BYTES, AnswerReader
from tests.sage100 import wire

CALL = Call("http://127.0.0.1:1/x", "ReadPage")
COLUMNS = ("ItemCode", "Comment")
ROWS = [("1", "Smith & Sons"), ("", "a<b"), ("3", "é")]
TEXT = st.text(st.sampled_from("ab é\n\t&<>\"']…\U0001f600"), max_size=6)
# What XML writers may put, and what they may not.
SNIPPETS = [
    *(b"<a:V>", b"</a:V>", b"<a:V/>", b"<a:V />", b"<a:Row>", b"</a:Row>", b"<a:Row/>"),
    *(b"<a:V>x</a:V>", b"<a:Row><a:V>8</a:V><a:V>9</a:V></a:Row>", b"<V>", b"</V>", b"<b:V/>"),
    *(b"<!--x-->", b"<!-- <a:Row> -->", b"<![CDATA[<a:V/>]]>", b"<![CDATA[x]]>", b"<?x y?>"),
    *(b"&#65;", b"&#x41;", b"&nbsp;", b"&amp;", b"&amp;lt;", b"&", b"&lt", b"]]>", b"]]", b">"),
    *(
        b"<",
        b'"',
        b"'",
        b"=",
        b" ",
        b"\n",
        b"\r",
        b"\r\n",
        b"\t",
        b"\x00",
        b"\x01",
        b"\x1e",
        b"\x1f",
    ),
    *(b"\xff", b"\xc3", b"\xef\xbf\xbe", b"\xef\xbf\xbf", b"\xef\xbf\xbd", b"\xed\xa0\x80"),
    *(b"<a:Next>n</a:Next>", b"</a:Page>", b"</s:Body>", b" xmlns:a='urn:other'", b"<!DOCTYPE x>"),
]


@pytest.fixture(autouse=True, scope="module", params=[30, 16 * 1024])
def _piece(request: pytest.FixtureRequest) -> Iterator[None]:
    """Rows one by one, and as they come: pages here are too small to be cut in pieces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_rows, "_PIECE_BYTES", request.param)
        yield


def read(body: bytes, *, kept_bytes: int = KEPT_BYTES, size: int = 100) -> Page:
    """The page in a body; with no bytes kept, as libxml2 alone reads it."""
    reader = AnswerReader(CALL, max_rows=500, kept_bytes=kept_bytes)
    for start in range(0, len(body), size):
        reader.feed(body[start : start + size])
    return reader.page()


def outcome(body: bytes, *, kept_bytes: int = KEPT_BYTES) -> Page | None:
    """The page; None when it is refused, be it as broken or as cut short."""
    try:
        return read(body, kept_bytes=kept_bytes)
    except (BadAnswer, CutShort):
        return None


def written(rows: Sequence[Sequence[str]], style: str) -> bytes:
    """A page with these rows, as one of the usual XML writers puts it."""
    body = wire.page(COLUMNS, rows, next="n")
    match style:
        case "no prefix":
            start, end = body.index(b"<a:ReadPageResponse>"), body.index(b"</s:Body>")
            inner = body[start:end].replace(b"<a:", b"<").replace(b"</a:", b"</")
            inner = inner.replace(b">", f' xmlns="{wire.NS}">'.encode(), 1)
            return body[:start] + inner + body[end:]
        case "short" | "spaced":
            return body.replace(b"<a:V></a:V>", b"<a:V/>" if style == "short" else b"<a:V />")
    return body


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5), st.sampled_from(["no prefix"]))
@example(ROWS, "short")
@example(ROWS, "spaced")
@example(ROWS, "long")
def test_rows_as_writers_put_them_are_cut(rows: list[tuple[str, str]], style: str) -> None:
    """With a prefix or none, empty cells in one tag or two, references for what needs them."""
    body = written(rows, style)
    cut = plain_rows.cut(body)
    assert cut is not None
    assert cut.rows == rows
    assert len(cut.rest) < len(body) or len(rows) == 1
    assert read(body) == read(body, kept_bytes=0)


@given(st.data())
def test_whatever_stands_in_an_answer_it_is_read_as_libxml2_reads_it(data: st.DataObject) -> None:
    """Pages with something put in, or taken out, anywhere: the same page, or none."""
    style = data.draw(st.sampled_from(["long", "short", "spaced", "no prefix"]))
    body = written(data.draw(st.lists(st.tuples(TEXT, TEXT), max_size=4)), style)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        gone = data.draw(st.sampled_from([0, 0, 0, 1, 5, 6, 12, 40]))
        body = body[:at] + data.draw(st.sampled_from(SNIPPETS)) + body[at + gone :]
    assert outcome(body) == outcome(body, kept_bytes=0)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=repr)
def test_whatever_stands_in_a_cell_it_is_read_as_libxml2_reads_it(snippet: bytes) -> None:
    """In the first row, which libxml2 sees in any case, and in one that it may not see."""
    for mark in (b"Smith", b"\xc3\xa9"):
        body = written(ROWS, "long").replace(mark, snippet)
        assert outcome(body) == outcome(body, kept_bytes=0)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=repr)
def test_whatever_stands_between_two_rows_it_is_read_as_libxml2_reads_it(snippet: bytes) -> None:
    """Before the first row, between two of them, behind the last one, and within a tag."""
    body = written(ROWS, "long")
    for mark in (b"<a:Row>", b"</a:Row>", b"</a:Columns>", b"<a:Next>", b"V>", b"<a:Page>"):
        changed = body.replace(mark, snippet + mark, 1)
        assert outcome(changed) == outcome(changed, kept_bytes=0)
        head, _, tail = body.rpartition(mark)
        changed = head + mark + snippet + tail
        assert outcome(changed) == outcome(changed, kept_bytes=0)


def test_rows_in_a_comment_are_none() -> None:
    """A comment may hold the very text of rows, and end behind them."""
    body = written(ROWS, "long")
    start, end = body.index(b"<a:Row>"), body.rindex(b"</a:Row>") + len(b"</a:Row>")
    body = body[:start] + b"<!--" + body[start:end] + b"-->" + body[end:]
    assert read(body).rows == []


def test_rows_of_another_name_space_are_none() -> None:
    """The first row is libxml2's to judge, and what it says holds for those behind it."""
    body = written(ROWS, "long").replace(b"</a:Columns>", b"</a:Columns><b xmlns:a='urn:other'>")
    body = body.replace(b"<a:Next>", b"</b><a:Next>")
    with pytest.raises(BadAnswer):
        read(body)
    assert outcome(body) == outcome(body, kept_bytes=0)


def test_more_rows_than_asked_for_are_refused() -> None:
    """Cut or not, a page holds no more than it may."""
    body = wire.page(COLUMNS, [("1", "x")] * 501)
    assert plain_rows.cut(body) is not None
    with pytest.raises(BadAnswer, match="more than the 500 rows"):
        read(body, size=65_536)


def test_a_page_too_large_to_be_kept_is_read_as_it_comes() -> None:
    """What has come goes to libxml2 as soon as it is more than may be kept."""
    body = written(ROWS * 20, "long")
    assert read(body, kept_bytes=500) == read(body)
