"""What a bundle shows: only what is known to be harmless stays as it is."""

from __future__ import annotations

import secrets
from importlib import resources

import msgspec
import pytest

from connector import bundle as bundles
from connector.bundle import Bundle
from connector.bundle.pseudonyms import Pseudonyms
from projections import events
from projections.mapping import compiled


def disguised(*told: tuple[str, events.Event]) -> str:
    """These events, each of its stream, as the text of a bundle."""
    made = bundles.disguise(
        Bundle(
            made_by="test",
            key="companies/ABC:01-QUILLER",
            head=9,
            events=[
                bundles.BundleEvent(
                    number, stream, 1, events.type_of(one), 7, msgspec.Raw(events.encode(one))
                )
                for number, (stream, one) in enumerate(told, 1)
            ],
        ),
        Pseudonyms(secrets.choice),
    )
    return msgspec.json.encode(made).decode()


def test_what_is_not_known_to_be_harmless_is_made_up() -> None:
    """Fields nobody thought of, of whatever form, show nothing; of messages only what is known."""
    events_ = [
        (
            "hubspot/contacts/ABC:01-QUILLER:ZOERILDA",
            events.DriftFound({}, {"phone": "zoerilda@hereabouts.example"}),
        ),
        (
            "hubspot/contacts/ABC:01-QUILLER:ZOERILDA",
            events.CommandFailed(
                1, "lost", "no answer for 4711999", 5, 1, correlation_id="abcdef-77"
            ),
        ),
        ("hubspot/deals/4711999", events.DealMatched("4711999", "SO-8812", ["88123"])),
    ]
    text = disguised(*events_).lower()
    private = ("zoerilda", "quiller", "abc:", "4711999", "so-8812", "88123", "hereabouts", "abcdef")
    assert [word for word in private if word in text] == []
    assert "no answer for" in text


MESSAGE = "2 HubSpot records have it: 512 (Jane Doe, jane.doe@private.example); 7 (Plume, Ltd)."
TARGET = "hubspot/companies/ABC:01-QUILLER"


@pytest.mark.parametrize(
    "event",
    [
        events.CommandParked(1, "match_proposed", MESSAGE, "look"),
        events.CommandParked(1, "match_ambiguous", MESSAGE, "look"),
        events.CommandParked(1, "CONFLICT", MESSAGE, "look"),
        events.CommandSucceeded(
            1,
            "512",
            "created",
            withheld={"email": events.Withheld("", "CONFLICTING_UNIQUE_VALUE", MESSAGE, "look")},
        ),
    ],
    ids=["proposed", "ambiguous", "conflict", "withheld"],
)
def test_of_a_message_about_others_nothing_is_left(event: events.Event) -> None:
    """HubSpot's own records, and the people in them, are in no column that could teach their names:
    the reason stays, the sentence goes.
    """
    text = disguised((TARGET, event))
    private = ("Jane", "Doe", "jane.doe", "Plume", "512", "Ltd")
    assert [word for word in private if word in text] == []
    assert "it may name others" in text
    reason = getattr(event, "reason", "") or "CONFLICTING_UNIQUE_VALUE"
    assert f'"{reason}"' in text


def test_addresses_are_made_up_in_any_message() -> None:
    """Also of a refusal that quotes somebody else's e-mail address or telephone number."""
    said = "Value jane.doe@private.example or (312) 555-0177 was refused"
    text = disguised((TARGET, events.CommandFailed(1, "x", said, 5, 1)))
    assert [word for word in ("jane", "private", "555", "0177") if word in text] == []
    assert "was refused" in text


def test_a_replay_of_several_records_names_no_other() -> None:
    """What else was sent again in the same breath is no part of the bundle, nor is its key."""
    text = disguised(
        ("audit/replay", events.ReplayRequested([TARGET[8:]], "keys ABC:01-QUILLER, XYZ:01-OTHER"))
    )
    assert [word for word in ("OTHER", "XYZ", "QUILLER") if word in text] == []
    assert '"selection":"keys ' in text


def test_digits_are_dates_only_where_dates_are_held() -> None:
    """A number that looks like a date is made up in any other column, and in keys; where a column
    is known to hold dates, by Sage 100 or by the mapping, it stays.
    """
    text = (resources.files("projections.mapping") / "default.toml").read_text("utf-8")
    rule = '[[companies.rules]]\nproperty = "founded"\nfrom = "UDF_FOUNDED"\ntransform = "date"\n\n'
    mapping = compiled.parse(text.replace("[vendors]\n", rule + "[vendors]\n", 1))
    row = {
        "ARDivisionNo": "01",
        "CustomerNo": "20240207",
        "TelephoneNo": "20231105",
        "UDF_FOUNDED": "19990131",
        "UDF_OTHER": "20190417",
        "DateEstablished": "20010911",
    }
    gone = events.RecordVanished(["01", "20240207"], "f")
    stream = "sage/i/ABC/AR_Customer/01-20240207"
    told = disguised(
        ("config/mapping", events.MappingActivated(mapping.digest, compiled.content(mapping))),
        (stream, events.RecordObserved(["01", "20240207"], row, "f", stamp="20010911 8.5")),
        (stream, gone),
        (
            TARGET,
            events.DriftFound({"founded": ("1999-01-31", "2018-02-03"), "phone": ("20231105", "")}),
        ),
    )
    assert [digits for digits in ("20231105", "20240207", "20190417") if digits in told] == []
    assert [digits for digits in ("19990131", "20010911", "1999-01-31") if digits not in told] == []
