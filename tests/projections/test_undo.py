"""What the log alone says can be put back of chosen commands."""

from __future__ import annotations

from collections.abc import Collection

from projections import asof
from projections import events as e
from projections.folding import Entry
from projections.undo import Asked, Left, Undoing, Write, undoing
from tests.projections.rig import MAPPING

NAME = "companies/ABC:01-ACME"


def life(*payloads: e.Event) -> list[Entry]:
    """A company's stream, at positions ten times their versions."""
    return [
        Entry(version * 10, f"hubspot/{NAME}", version, payload)
        for version, payload in enumerate(payloads, start=1)
    ]


def write(
    command: int,
    *,
    create: bool = False,
    kept: dict[str, str] | None = None,
    withheld: dict[str, e.Withheld] | None = None,
    **changes: tuple[str | None, str],
) -> list[e.Event]:
    """A command that HubSpot carries out: three events, the first at version `command`."""
    return [
        e.CommandEmitted(command, dict(changes), "changed", create=create),
        e.CommandSent(command, "b", 1),
        e.CommandSucceeded(
            command,
            "7",
            "created" if create else "updated",
            kept=kept or {},
            withheld=withheld or {},
        ),
    ]


def undone(entries: list[Entry], chosen: Collection[int], made: Collection[str] = ()) -> Undoing:
    """The judgement over a company's stream; AssertionError when nothing was done."""
    found = undoing(
        NAME, entries, chosen, asof.target_at(entries), MAPPING.objects["companies"], made
    )
    assert found is not None
    return found


def by_the_log(found: Undoing) -> dict[str, tuple[str, str | None]]:
    """Property to what is ours of it and what the log says that HubSpot held before."""
    return {prop: (one.ours, one.before) for prop, one in found.asked.items()}


FIRST = write(1, create=True, name=(None, "A"), city=(None, "Oslo"))


def test_the_value_from_before_the_first_and_ours_of_the_last() -> None:
    """Of several chosen commands the record goes back to where it was before all of them."""
    entries = life(*FIRST, *write(4, city=("Oslo", "Bergen")), *write(7, city=("Bergen", "Molde")))
    assert by_the_log(undone(entries, {4, 7})) == {"city": ("Molde", "Oslo")}
    assert by_the_log(undone(entries, {7})) == {"city": ("Molde", "Bergen")}


def test_of_every_write_it_is_told_when() -> None:
    """HubSpot's history is read against the times of all chosen writes, failed attempts too."""
    failed = e.CommandFailed(7, "timeout", "no answer", 0, 1, unknown=True)
    again = [e.CommandEmitted(7, {"city": ("Bergen", "Molde")}, "changed"), failed]
    again.insert(1, e.CommandSent(7, "b", 1))
    later = [e.CommandSent(7, "b", 2), e.CommandSucceeded(7, "7", "updated")]
    entries = life(*FIRST, *write(4, city=("Oslo", "Bergen")), *again, *later)
    writes = (Write("Bergen", 30, 50, 60), Write("Molde", 60, 80, 110))
    assert undone(entries, {4, 7}).asked == {"city": Asked("Oslo", writes)}


def test_what_another_command_wrote_in_between_is_the_value_from_before() -> None:
    """A replay that somebody ordered between two chosen commands is not undone with them."""
    entries = life(
        *FIRST,
        *write(4, city=("Oslo", "Bergen")),
        *write(7, city=("Bergen", "Bergen")),
        *write(10, city=("Bergen", "Molde")),
    )
    assert undone(entries, {4, 10}).asked == {
        "city": Asked("Bergen", (Write("Molde", 90, 110, 120),))
    }


def test_what_a_later_command_wrote_is_left() -> None:
    """Undoing in the middle would put back what is out of date."""
    entries = life(*FIRST, *write(4, city=("Oslo", "Bergen")), *write(7, city=("Bergen", "Molde")))
    found = undone(entries, {4})
    assert found.asked == {}
    assert found.left == [Left(NAME, "city", "command 7 has written it since")]


def test_what_was_not_written_is_not_put_back() -> None:
    """Values that HubSpot kept, or would not take, were never ours."""
    entries = life(
        *FIRST,
        *write(
            4,
            kept={"domain": "theirs.example"},
            withheld={"zip": e.Withheld("0", "INVALID")},
            city=("Oslo", "Bergen"),
            domain=("", "ours.example"),
            zip=("1", "0"),
        ),
    )
    assert by_the_log(undone(entries, {4})) == {"city": ("Bergen", "Oslo")}


def test_a_command_that_was_not_carried_out_needs_no_undoing() -> None:
    """What was emitted and superseded, or parked, has changed nothing."""
    emitted = e.CommandEmitted(4, {"city": ("Oslo", "Bergen")}, "changed")
    superseded = e.CommandSuperseded(4, "pending", None, "nothing left to do")
    entries = life(*FIRST, emitted, superseded)
    doc = asof.target_at(entries)
    assert undoing(NAME, entries, {4}, doc, MAPPING.objects["companies"], ()) is None


def test_where_the_log_knows_no_value_from_before() -> None:
    """Of a first write only HubSpot may know; what setup made was empty."""
    entries = life(*FIRST, *write(4, phone=(None, "1"), name=("A", "A"), sage100_terms=(None, "N")))
    found = undone(entries, {4}, {"companies.sage100_terms"})
    assert found.asked == {
        "phone": Asked(None, (Write("1", 30, 50, 60),)),
        "name": Asked("A", (Write("A", 30, 50, 60),)),
        "sage100_terms": Asked("", (Write("N", 30, 50, 60),)),
    }


def test_created_lost_and_forward_only() -> None:
    """No record is deleted, none that is gone is written, and a stage does not go back."""
    assert undone(life(*FIRST), {1}).left[0].property == ""
    lost = life(*FIRST, *write(4, city=("Oslo", "Bergen")), e.RecordLost("7", "deleted"))
    doc = asof.target_at(lost)
    assert undoing(NAME, lost, {4}, doc, MAPPING.objects["companies"], ()) is None
    stage = life(*FIRST, *write(4, lifecyclestage=("lead", "customer")))
    [left] = undone(stage, {4}).left
    assert (left.property, "forward only" in left.reason) == ("lifecyclestage", True)


def emit(command: int, **changes: tuple[str | None, str]) -> e.CommandEmitted:
    """A command that is not sent yet."""
    return e.CommandEmitted(command, dict(changes), "changed")


def test_what_was_not_sent_yet_is_withdrawn() -> None:
    """Of an open command that is meant, everything; of what it had written before, the rest."""
    entries = life(*FIRST, *write(4, city=("Oslo", "Bergen")), emit(7, city=("Bergen", "Molde")))
    assert undone(entries, {7}).withdrawn == {"city": ("Bergen", "Molde")}
    both = undone(entries, {4, 7})
    assert by_the_log(both) == {"city": ("Bergen", "Oslo")}
    assert both.withdrawn == {"city": ("Bergen", "Molde")}
    older = undone(entries, {4})
    assert (older.withdrawn, older.asked) == ({}, {})
    assert [left.reason for left in older.left] == ["command 7 is open and writes it"]


def test_what_is_on_its_way_is_told() -> None:
    """Nobody knows yet whether HubSpot has it: it is neither withdrawn nor put back."""
    sent = [emit(4, city=("Oslo", "Bergen")), e.CommandSent(4, "b", 1)]
    lost = e.CommandFailed(4, "timeout", "?", 0, 1, unknown=True)
    refused = e.CommandFailed(4, "refused", "no", 0, 1)
    for doubtful in ([], [lost]):
        found = undone(life(*FIRST, *sent, *doubtful), {4})
        assert (found.withdrawn, len(found.left)) == ({}, 1)
        assert "command 4 is on its way" in found.left[0].reason
    assert undone(life(*FIRST, *sent, refused), {4}).withdrawn == {"city": ("Oslo", "Bergen")}


def test_what_was_taken_up_before_it_was_sent() -> None:
    """Only what the meant one of two unsent commands added is withdrawn; the rest is told."""
    entries = life(
        *FIRST,
        emit(4, city=("Oslo", "Bergen"), zip=("1", "2")),
        e.CommandSuperseded(4, "pending", 6, "absorbed by a newer command"),
        emit(6, city=("Oslo", "Molde"), zip=("1", "2"), state=(None, "NO")),
    )
    newer = undone(entries, {6})
    assert newer.withdrawn == {"state": (None, "NO")}
    assert [left.property for left in newer.left] == ["city"]
    older = undone(entries, {4})
    assert older.withdrawn == {}
    assert "took up command 4 before it was sent" in older.left[0].reason
    assert undone(entries, {4, 6}).withdrawn.keys() == {"city", "zip", "state"}
    assert undoing(NAME, entries, {3}, asof.target_at(entries), None, ()) is None
