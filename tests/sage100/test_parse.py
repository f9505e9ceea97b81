"""Reading and writing the wire: what goes in comes out, in whatever pieces it travels."""

from __future__ import annotations

import gzip
import string
from collections.abc import Sequence
from datetime import datetime
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from connector.sage100 import envelope
from connector.sage100.body import Unpacker
from connector.sage100.contract import MAX_COLUMNS, AgentInfo, Column, Page
from connector.sage100.errors import BadAnswer, Call, TooLarge
from connector.sage100.naming import Naming, translate_info
from connector.sage100.parse import MAX_MARKUP, AnswerReader
from tests.sage100 import wire

CALL = Call("http://127.0.0.1:1/x", "ReadPage")
XML_TEXT = st.text(
    st.characters(
        codec="utf-8",
        exclude_categories=["Cs"],
        exclude_characters=[
            chr(code)
            for code in range(32)
            if chr(code) not in "\t\n"  # \r: see below
        ]
        + ["\r", "\ufffe", "\uffff"],
    ),
    max_size=20,
)
NAMES = st.lists(
    st.text(string.ascii_letters, min_size=1, max_size=8), min_size=1, max_size=6, unique=True
)


def read(body: bytes, *sizes: int, max_rows: int = 500) -> Page:
    """The page in a body that arrives in pieces of these sizes (the last one repeats)."""
    reader = AnswerReader(CALL, max_rows=max_rows)
    at = 0
    for size in sizes[:-1]:
        reader.feed(body[at : at + size])
        at += size
    for start in range(at, len(body), sizes[-1]):
        reader.feed(body[start : start + sizes[-1]])
    return reader.page()


@given(st.data())
def test_a_page_survives_its_way_over_the_wire(data: st.DataObject) -> None:
    """Parsing what was written gives the page back: any text, any row, in pieces of any size."""
    columns = tuple(data.draw(NAMES))
    row = st.tuples(*[XML_TEXT] * len(columns))
    rows = data.draw(st.lists(row, max_size=8))
    following = data.draw(st.none() | XML_TEXT.filter(bool))
    complete = data.draw(st.booleans())
    capped = data.draw(st.booleans())
    time = data.draw(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)))
    body = wire.page(
        columns, rows, next=following, complete=complete, capped=capped, time=time.isoformat()
    )
    sizes = data.draw(st.lists(st.integers(1, 400), min_size=1, max_size=5))
    assert read(body, *sizes) == Page(columns, rows, following, complete, len(rows), capped, time)


@given(st.lists(XML_TEXT, max_size=4), st.data())
def test_comments_and_cdata_do_not_change_a_cell(parts: list[str], data: st.DataObject) -> None:
    """A cell is its text, however the agent's XML writer chose to write it."""
    shapes = data.draw(st.lists(st.integers(0, 2), min_size=len(parts), max_size=len(parts)))
    written = ""
    for part, shape in zip(parts, shapes, strict=True):
        plain = escape(part)
        cdata = "".join(f"<![CDATA[{piece}]]>" for piece in part.split("]]>"))
        written += [plain, f"<!--x-->{plain}<?y z?>", cdata if "]]>" not in part else plain][shape]
    body = wire.page(("A",), [("MARK",)]).replace(b"MARK", written.encode())
    assert read(body, 50).rows == [("".join(parts),)]


def test_one_byte_at_a_time_is_as_good() -> None:
    """No piece is too small, the prolog's included."""
    body = wire.page(("A", "B"), [("é", ""), ("", "…")], next="n")
    assert read(body, 1).rows == [("é", ""), ("", "…")]
    assert read(b"\xef\xbb\xbf" + body, 1).next == "n"


@pytest.mark.parametrize(
    "markup", [b"<a:V/>", b"<a:V b='' c=''/>", b"<a:V>x</a:V>", b"<![CDATA[x]]>"]
)
def test_an_answer_of_too_much_markup_ends_at_the_bound(markup: bytes) -> None:
    """However small they are, elements and attributes are refused before they fill the memory."""
    opening = wire.page(("A",), [("MARK",)]).partition(b"<a:V>MARK")[0]
    reader = AnswerReader(CALL, max_rows=500)
    piece = markup * 1_000
    each = piece.count(b"<") + piece.count(b"=")
    reader.feed(opening)
    for _ in range(MAX_MARKUP // each - 1):
        reader.feed(piece)
    with pytest.raises(TooLarge):
        reader.feed(piece + piece)


def test_the_largest_page_of_sage_100_is_within_the_bound() -> None:
    """500 rows of 400 columns: more than AR_Customer has with a site's own columns."""
    columns = [f"UDF_{number}" for number in range(400)]
    body = wire.page(columns, [[str(number)] * 400 for number in range(500)])
    assert read(body, 65_536).rows[499] == ("499",) * 400


def test_get_info_is_read_in_full() -> None:
    """Companies with their aging, entities with key, types and widths, the clock and its zone."""
    body = wire.info(
        {"AR_TermsCode": ("TermsCode", "TermsCode DateUpdated")}, companies=("ABC", "XYZ")
    )
    reader = AnswerReader(Call("http://127.0.0.1:1/x", "GetInfo"))
    reader.feed(body)
    info = reader.info()
    assert info.server_time == datetime(2026, 11, 22, 9, 15, 2)
    assert (info.time_zone, info.edition) == ("America/Chicago", "Premium")
    company = info.company("XYZ")
    assert company is not None
    assert (company.currency, company.aging_limits) == ("USD", (30, 60, 90, 120))
    entity = info.entity("AR_TermsCode")
    assert entity is not None
    assert entity.key == ("TermsCode",)
    assert entity.columns == (
        Column("TermsCode", "string", 20),
        Column("DateUpdated", "string", 20),
    )
    assert info.company("ABX") is None
    assert info.entity("GL_Account") is None


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        (b"<a:TimeZone>America/Chicago</a:TimeZone>", b"", "TimeZone"),
        (b"<a:Code>ABC</a:Code>", b"", "Code"),
        (b"<a:AgingBasis>DueDate<", b"<a:AgingBasis>Whim<", "Whim"),
        (b"<a:AgingLimits>30 ", b"<a:AgingLimits>few ", "few"),
        (b'type="string"', b'type="blob"', "blob"),
        (b"<a:Key>TermsCode<", b"<a:Key>TermsCode Other<", "Other"),
        (b'name="DateUpdated"', b'name="TermsCode"', "TermsCode is there twice"),
        (b"2026-11-22T09:15:02", b"2026-11-22T09:15:02-06:00", "offset"),
        (b"2026-11-22T09:15:02", b"0001-01-01T00:00:00", "0001-01-01"),
        (b"2026-11-22T09:15:02", b"9999-12-31T23:59:59", "9999-12-31"),
    ],
)
def test_a_get_info_that_cannot_be_relied_on_is_refused(old: bytes, new: bytes, names: str) -> None:
    """What is missing, twice or unknown in it is named."""
    body = wire.info({"AR_TermsCode": ("TermsCode", "TermsCode DateUpdated")})
    assert old in body
    reader = AnswerReader(Call("http://127.0.0.1:1/x", "GetInfo"))
    reader.feed(body.replace(old, new))
    with pytest.raises(BadAnswer, match=names):
        reader.info()


def info_of(columns: Sequence[str], key: str = "TermsCode") -> AgentInfo:
    """What a GetInfo says that gives one entity these columns."""
    body = wire.info({"AR_TermsCode": (key, " ".join(columns))})
    reader = AnswerReader(Call("http://127.0.0.1:1/x", "GetInfo"))
    reader.feed(body)
    return reader.info()


def test_an_entity_of_as_many_columns_as_a_page_may_have_is_read() -> None:
    """Each is there once; one more than that, and none of them is looked at."""
    columns = ["TermsCode", *(f"UDF_{number}" for number in range(MAX_COLUMNS - 1))]
    info = info_of(columns)
    entity = info.entities[0]
    assert [column.name for column in entity.columns] == columns
    assert translate_info(Naming(), info, CALL) == info
    with pytest.raises(BadAnswer, match="has 2001 columns"):
        info_of([*columns, "Once"])
    with pytest.raises(BadAnswer, match="has 100000 columns"):
        info_of(["TermsCode"] * 100_000)
    with pytest.raises(BadAnswer, match="a key of 3"):
        info_of(["TermsCode", "Other"], key="TermsCode Other TermsCode")


def test_what_is_there_twice_is_named_and_not_at_length() -> None:
    """However many columns are wrong, the message stays short."""
    with pytest.raises(BadAnswer, match=r"UDF_0, .*, … is there twice") as caught:
        info_of(["TermsCode", *(f"UDF_{number % 500}" * 3 for number in range(1_000))])
    assert len(caught.value.what) < 500


@given(XML_TEXT, XML_TEXT, st.lists(XML_TEXT, min_size=1, max_size=4))
def test_requests_carry_any_text(company: str, after: str, key: list[str]) -> None:
    """Whatever a key or a place holds arrives as it was, markup and line ends included."""
    after += "\r\n<&>"
    page = etree.fromstring(envelope.read_page(company, "E", after=after))[0][0]
    assert [page.findtext(f"{{{wire.NS}}}{name}") for name in ("CompanyCode", "After")] == [
        company,
        after,
    ]
    row = etree.fromstring(envelope.read_row(company, "E", key))[0][0]
    assert [value.text or "" for value in row.iter(f"{{{wire.NS}}}V")] == key


def test_requests_leave_out_what_is_empty() -> None:
    """No Columns, ChangedSince or After unless there is something to say."""
    page = etree.fromstring(envelope.read_page("ABC", "E", limit=3))[0][0]
    assert [etree.QName(child).localname for child in page] == ["CompanyCode", "Entity", "Limit"]
    assert etree.QName(etree.fromstring(envelope.get_info())[0][0]).localname == "GetInfo"
    assert envelope.soap_action("GetInfo") == f'"{wire.NS}/GetInfo"'


@pytest.mark.parametrize("text", ["\x00", "a\x0bb", "\ud800", "\uffff"])
def test_what_xml_cannot_carry_is_refused_before_it_travels(text: str) -> None:
    """Such a request would be malformed: it is not sent."""
    with pytest.raises(ValueError, match="XML cannot carry"):
        envelope.read_page("ABC", "E", after=text)


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_a_limit_out_of_range_is_refused(limit: int) -> None:
    """The contract knows 1 to 500 rows."""
    with pytest.raises(ValueError, match="1 to 500"):
        envelope.read_page("ABC", "E", limit=limit)


@given(st.binary(max_size=300_000), st.integers(1, 50_000))
def test_unpacking_gives_every_byte_in_small_pieces(body: bytes, size: int) -> None:
    """gzip comes out as it went in, whatever the chunks, never in a piece beyond 64 KiB."""
    squeezed = gzip.compress(body, 1)
    unpacker = Unpacker(CALL, "gzip", max_bytes=len(body))
    pieces: list[bytes] = []
    for start in range(0, len(squeezed), size):
        pieces += unpacker.pieces(squeezed[start : start + size])
    unpacker.finish()
    assert b"".join(pieces) == body
    assert all(0 < len(piece) <= 64 * 1024 for piece in pieces)


def test_unpacking_highly_squeezed_bytes_stays_in_small_pieces() -> None:
    """A run of zeros a thousand times its packed size comes out piece by piece, whole."""
    unpacker = Unpacker(CALL, "gzip", max_bytes=10_000_000)
    sizes = [len(piece) for piece in unpacker.pieces(gzip.compress(bytes(10_000_000)))]
    unpacker.finish()
    assert sum(sizes) == 10_000_000
    assert max(sizes) <= 64 * 1024
