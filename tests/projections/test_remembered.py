"""What stood in a property before we wrote it, read off its history whatever the clocks say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from projections.remembered import Attempt, Entry, before


def same(left: str, right: str) -> bool:
    """Texts are one value when they are one text."""
    return left == right


def told(*values: tuple[float, str]) -> list[Entry]:
    """A history, given oldest first."""
    return [Entry(*one) for one in reversed(values)]


def test_what_a_person_typed_before_us_is_what_was_there() -> None:
    """Not what we had written before that."""
    history = told((10, "Dallas"), (15, "By Anna"), (20, "Fargo"))
    assert before(history, [Attempt("Fargo", 11, 20, 21)], same) == "By Anna"


def test_a_clock_that_is_off_changes_nothing() -> None:
    """HubSpot's times may lie hours beside ours as long as we knew of the record before that."""
    for off_s in (-3_000.0, 3_000.0):
        history = told((10 + off_s, "Dallas"), (9_000 + off_s, "By Anna"), (9_999 + off_s, "Fargo"))
        assert before(history, [Attempt("Fargo", 11, 9_998, 10_000)], same) == "By Anna"


def test_of_several_writes_those_of_ours_are_looked_behind() -> None:
    """A run that wrote twice goes back behind both; a person's words between them stay."""
    ours = [Attempt("B", 11, 20, 21), Attempt("C", 21, 30, 32)]
    assert before(told((10, "A"), (20, "B"), (30, "C")), ours, same) == "A"
    assert before(told((10, "A"), (20, "B"), (25, "X"), (30, "C")), ours, same) == "X"
    assert before(told((10, "A"), (20, "B"), (25, "X"), (27, "B"), (30, "C")), ours, same) == "B"


def test_a_write_that_changed_nothing_leaves_no_entry() -> None:
    """The same value sent again is looked behind with the first of the two."""
    ours = [Attempt("B", 11, 20, 21), Attempt("C", 21, 30, 32), Attempt("C", 32, 40, 42)]
    assert before(told((10, "A"), (20, "B"), (30, "C")), ours, same) == "A"
    assert before(told((10, "A"), (20, "C")), [Attempt("C", 21, 90, 91)], same) == "C"


def test_a_history_that_does_not_reach_back_says_nothing() -> None:
    """What is not told is not made up."""
    assert before(told((20, "Fargo")), [Attempt("Fargo", 11, 20, 21)], same) is None
    assert before([], [Attempt("Fargo", 11, 20, 21)], same) == ""


def test_what_came_in_a_way_that_no_app_goes_is_not_ours() -> None:
    """A person who types our very value a moment before us had it there before we wrote."""
    history = [Entry(19, "Fargo", by_others=True), Entry(10, "Dallas")]
    assert before(history, [Attempt("Fargo", 11, 20, 21)], same) == "Fargo"
    ours = [Attempt("B", 11, 20, 21), Attempt("C", 21, 30, 32)]
    theirs = [Entry(30, "C"), Entry(20, "B", by_others=True), Entry(10, "A")]
    assert before(theirs, ours, same) == "B"


@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.booleans()), min_size=1, max_size=8),
    st.floats(-400, 400),
)
def test_the_newest_value_that_is_not_ours(steps: list[tuple[str, bool]], off_s: float) -> None:
    """Whoever wrote what in which order: what comes back is what somebody else put there last,
    or what was there before all of it."""
    history = [Entry(off_s, "start", by_others=True)]
    ours: list[Attempt] = []
    for number, (value, by_us) in enumerate(steps, start=1):
        at_s = number * 1_000.0 + number * number  # no two of them lie as far apart as two others
        if by_us:
            ours.append(Attempt(value, ours[-1].acked_s if ours else 0.0, at_s, at_s + 0.5))
        if history[-1].value != value:
            history.append(Entry(at_s + 0.2 + off_s, value, by_others=not by_us))
    theirs = [one.value for one in history if one.by_others]
    assert before(history[::-1], ours, same) == (theirs[-1] if ours else history[-1].value)
