"""What the ledger and the decisions make of values that HubSpot would not take."""

from __future__ import annotations

from projections import diff, ledger
from projections import events as e
from projections.tables import PlainText, Target, Withheld
from projections.workspace import Workspace

from .rig import MAPPING

CONTACTS = MAPPING.objects["contacts"]
JOE = "contacts/ABC:01-ABF:JOE"
REFUSED = e.Withheld("joe@x.example", "CONFLICT", "it is another's", owner="51")


def written(withheld: dict[str, e.Withheld], **changes: str) -> tuple[Target, Workspace]:
    """Joe after a command with these changes, of which some were left out."""
    work = Workspace()
    work.load({"target": [JOE]}, {})
    history: list[e.Event] = [
        e.CommandEmitted(1, {name: (None, value) for name, value in changes.items()}, "new"),
        e.CommandSent(1, "batch", 1),
        e.CommandSucceeded(1, "77", "created", withheld=withheld),
    ]
    for version, event in enumerate(history, start=1):
        ledger.track(work, JOE, event, version)
    return work.get("target", Target, JOE) or Target(), work


def test_what_was_left_out_is_not_held_and_known_as_left_out() -> None:
    """HubSpot holds the rest; the value, the reason and who is in the way are kept."""
    doc, work = written({"email": REFUSED}, firstname="Joe", email="joe@x.example")
    assert doc.held == {"firstname": "Joe"}
    assert doc.withheld == {"email": Withheld("joe@x.example", "CONFLICT", "51")}
    assert work.get("withheld", PlainText, JOE) == PlainText("email")
    assert work.get("blocked", PlainText, ledger.blocked_key("contacts", "51", JOE)) is not None


def test_a_value_left_out_is_sent_again_only_when_it_is_another_or_asked_for() -> None:
    """The same value would be refused again; a new one is tried, and so is everything by force."""
    doc, _ = written({"email": REFUSED}, firstname="Joe", email="joe@x.example")
    same = {"firstname": "Joe", "email": "joe@x.example"}
    assert diff.compare(CONTACTS, same, doc).changes == {}
    other = same | {"email": "joe@y.example"}
    assert diff.compare(CONTACTS, other, doc).changes == {"email": (None, "joe@y.example")}
    assert set(diff.compare(CONTACTS, same, doc, force=True).changes) == {"firstname", "email"}


def test_going_back_to_what_hubspot_holds_ends_the_matter() -> None:
    """The held value is written once more, so that nothing is said to be left out any longer."""
    doc, work = written({}, firstname="Joe", email="old@x.example")
    ledger.track(work, JOE, e.CommandEmitted(4, {"email": (None, "joe@x.example")}, "changed"), 4)
    ledger.track(work, JOE, e.CommandSent(4, "batch", 1), 5)
    doc = ledger.track(
        work, JOE, e.CommandSucceeded(4, "77", "updated", withheld={"email": REFUSED}), 6
    )
    assert doc.held["email"] == "old@x.example"
    back = diff.compare(CONTACTS, {"email": "old@x.example"}, doc)
    assert back.changes == {"email": ("old@x.example", "old@x.example")}
    ledger.track(work, JOE, e.CommandEmitted(7, back.changes, "changed"), 7)
    ledger.track(work, JOE, e.CommandSent(7, "batch", 1), 8)
    doc = ledger.track(work, JOE, e.CommandSucceeded(7, "77", "updated"), 9)
    assert doc.withheld == {}
    assert work.get("withheld", PlainText, JOE) is None
    assert work.get("blocked", PlainText, ledger.blocked_key("contacts", "51", JOE)) is None


def test_a_record_that_is_lost_is_known_by_nothing_any_more() -> None:
    """All of it is to be written anew; its old id is kept until another stands in its place."""
    doc, work = written({"email": REFUSED}, firstname="Joe", email="joe@x.example")
    doc = ledger.track(work, JOE, e.RecordLost("77", "deleted"), 4)
    assert (doc.hubspot_id, doc.held, doc.withheld, doc.lost) == ("", {}, {}, "77")
    wanted = {"firstname": "Joe", "email": "joe@x.example", "jobtitle": "Boss"}
    assert set(diff.compare(CONTACTS, wanted, doc).changes) == set(wanted)
    ledger.track(work, JOE, e.CommandEmitted(5, {"firstname": (None, "Joe")}, "anew"), 5)
    ledger.track(work, JOE, e.CommandSent(5, "batch", 1), 6)
    doc = ledger.track(work, JOE, e.CommandSucceeded(5, "78", "created", replaced="77"), 7)
    assert (doc.hubspot_id, doc.lost) == ("78", "")
