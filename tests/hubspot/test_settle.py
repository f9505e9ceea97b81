"""Settling: every input of a batch gets exactly one outcome, whatever HubSpot answers."""

from __future__ import annotations

from typing import Any

import pytest

from connector.hubspot.answer import Answer
from connector.hubspot.culprit import Input
from connector.hubspot.errors import DailyLimitReached, NeverSent, OutcomeUnknown
from connector.hubspot.settle import (
    Refused,
    Settlement,
    Undone,
    Written,
    not_tried,
    settle,
    settle_unanswered,
)

from .answers import KEY, accounted, batch, inputs, invalid, item_error, refusal, result, taken


def only(settled: Settlement) -> Any:
    """The one outcome."""
    (outcome,) = settled.outcomes
    return outcome


# ------------------------------------------------------------ 2xx


@pytest.mark.parametrize("trace", [True, False])
def test_written_inputs_are_matched_by_trace_or_key_never_by_place(trace: bool) -> None:
    """Results come in any order; each input finds its own."""
    given = inputs(3)
    shown = [result(one, f"90{index}", trace=trace) for index, one in enumerate(given)]
    settled = settle(given, batch(shown[::-1]), KEY)
    assert settled.outcomes == tuple(
        Written(one.key, f"90{index}", True) for index, one in enumerate(given)
    )


def test_an_updated_record_is_told_from_a_created_one() -> None:
    """`new` says whether the write created the record."""
    one = Input("K", {KEY: "K"}, "t", hubspot_id="7", how="update")
    assert only(settle([one], batch([result(one, "7", new=False)]), KEY)).created is False


def test_a_record_that_was_to_be_created_and_is_not_new_is_looked_at_first() -> None:
    """An upsert of ours that met a record may have met somebody else's: of unknown outcome."""
    given = inputs(2)
    shown = [result(given[0], "7", new=False), result(given[1], "8")]
    met, written = settle(given, batch(shown), KEY).outcomes
    assert isinstance(met, Undone)
    assert (met.category, met.unknown) == ("existed", True)
    assert written == Written(given[1].key, "8", created=True)


def test_where_nothing_says_whether_it_is_new_it_counts_as_written() -> None:
    """Only HubSpot's own word that it was there makes a doubt of it."""
    (one,) = inputs(1)
    shown = result(one, "7")
    del shown["new"]
    assert only(settle([one], batch([shown]), KEY)) == Written(one.key, "7", created=False)


def test_a_record_known_by_id_is_matched_by_it() -> None:
    """A result with neither trace id nor key is found by the id we know."""
    one = Input("K", {KEY: "K"}, "t", hubspot_id="55")
    settled = settle([one], batch([{"id": 55, "properties": {}}]), KEY)
    assert only(settled) == Written("K", "55", False)


def test_success_that_does_not_mention_an_input_proves_nothing() -> None:
    """A 200 with fewer results than inputs leaves the rest of unknown outcome."""
    given = inputs(2)
    settled = settle(given, batch([result(given[0], "1")]), KEY)
    assert isinstance(settled.outcomes[0], Written)
    lost = settled.outcomes[1]
    assert isinstance(lost, Undone)
    assert lost.unknown
    assert lost.category == "unaccounted"


def test_an_item_s_error_is_the_item_s_alone() -> None:
    """207: the one named by its trace id is refused with message and advice, the others stand."""
    given = inputs(100)
    shown = [result(one, str(index)) for index, one in enumerate(given) if index != 3]
    error = item_error(
        "Email address foo@ is invalid",
        traces=["t3"],
        code="INVALID_EMAIL",
        properties=["email"],
    )
    settled = settle(given, batch(shown, [error]), KEY)
    refused = settled.outcomes[3]
    assert isinstance(refused, Refused)
    assert refused.why.reason == "INVALID_EMAIL"
    assert refused.why.message == "Email address foo@ is invalid"
    assert "Sage 100" in refused.why.advice
    assert sum(isinstance(one, Written) for one in settled.outcomes) == 99


def test_missing_ids_are_told_by_id() -> None:
    """207: an error that lists ids in its context concerns exactly those inputs."""
    given = inputs(3)
    error = item_error(
        "Could not get some COMPANY objects", category="OBJECT_NOT_FOUND", ids=[given[1].key]
    )
    settled = settle(given, batch([result(given[0], "1"), result(given[2], "3")], [error]), KEY)
    gone = settled.outcomes[1]
    assert isinstance(gone, Undone)
    assert gone.unknown  # read by key before anything else


def test_a_conflict_names_the_owner() -> None:
    """207: a taken e-mail address is refused, and the advice names the record that has it."""
    (one,) = inputs(1)
    error = item_error(
        "Contact already exists. Existing ID: 51",
        traces=["t0"],
        category="CONFLICT",
        existingId=["51"],
    )
    refused = only(settle([one], batch([], [error]), KEY))
    assert refused.why.reason == "CONFLICT"
    assert "record 51" in refused.why.advice


def test_an_error_without_address_falls_on_the_only_one_left() -> None:
    """207: one unaddressed error and one input without a result belong together."""
    given = inputs(3)
    shown = [result(given[0], "1"), result(given[2], "3")]
    settled = settle(given, batch(shown, [item_error("no good", code="INVALID_OPTION")]), KEY)
    assert isinstance(settled.outcomes[1], Refused)


def test_an_error_without_address_accuses_nobody_among_several() -> None:
    """207: when two inputs could be meant, both are of unknown outcome and keep the message."""
    given = inputs(3)
    settled = settle(given, batch([result(given[0], "1")], [item_error("no good")]), KEY)
    assert all(
        isinstance(one, Undone) and one.unknown and one.message == "no good"
        for one in settled.outcomes[1:]
    )


def test_a_contradiction_is_not_believed() -> None:
    """An input both written and refused is of unknown outcome."""
    (one,) = inputs(1)
    settled = settle([one], batch([result(one, "1")], [item_error("no", traces=["t0"])]), KEY)
    assert only(settled).category == "contradiction"


def test_a_transient_item_error_is_tried_again() -> None:
    """207: an error that passes by itself parks nothing."""
    (one,) = inputs(1)
    error = item_error("try later", traces=["t0"], category="RATE_LIMITS")
    assert isinstance(only(settle([one], batch([], [error]), KEY)), Undone)


# ------------------------------------------------------------ the whole request


def test_a_refused_token_stops_everything() -> None:
    """401: nothing is refused for good, and the verdict is to stop."""
    settled = settle(inputs(2), refusal("no credentials", 401), KEY)
    assert settled.verdict == "stop"
    assert all(isinstance(one, Undone) and not one.unknown for one in settled.outcomes)


def test_a_missing_scope_holds_the_object_and_names_the_scope() -> None:
    """403: nothing is refused for good; the verdict is to hold, with the scope to grant."""
    answer = refusal(
        "This app hasn't been granted all required scopes",
        403,
        category="MISSING_SCOPES",
        errors=[
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": ["crm.objects.invoices.write"]},
            }
        ],
    )
    settled = settle(inputs(2), answer, KEY)
    assert settled.verdict == "hold"
    assert settled.why is not None
    assert settled.why.reason == "missing_scope"
    assert "crm.objects.invoices.write" in settled.why.advice
    assert all(isinstance(one, Undone) and not one.blamed for one in settled.outcomes)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 524, 302, 423, 429, 477, 521, 530])
def test_what_is_not_about_the_records_pauses(status: int) -> None:
    """Whether it may have been carried out decides whether it is read before a resend."""
    unknown = status in {500, 502, 503, 504, 524}
    settled = settle(inputs(2), refusal("busy", status), KEY)
    assert settled.verdict == "pause"
    assert [one.unknown for one in settled.outcomes if isinstance(one, Undone)] == [unknown] * 2
    assert accounted(inputs(2), settled)


@pytest.mark.parametrize("status", [200, 400, 403, 404])
def test_html_is_nobody_s_verdict_on_a_record(status: int) -> None:
    """A page from a proxy parks nothing, whatever its status."""
    settled = settle(inputs(2), Answer(status, None, "<html>blocked</html>"), KEY)
    assert settled.verdict == "pause"


def test_no_answer_at_all_leaves_the_outcome_unknown() -> None:
    """A time-out may have been carried out; a refused connection was not."""
    assert only(settle_unanswered(["K"], OutcomeUnknown("no answer in time"))).unknown is True
    assert only(settle_unanswered(["K"], NeverSent("cannot connect"))).unknown is False


def test_the_day_s_limit_says_when_to_go_on() -> None:
    """The wait until the portal's midnight is handed on."""
    assert settle_unanswered(["K"], DailyLimitReached(7200.0)).after_s == 7200.0


def test_what_a_verdict_keeps_from_being_sent_was_not_carried_out() -> None:
    """Requests not made after a verdict are to be tried again, and their outcome is known."""
    paused = settle(inputs(1), refusal("busy", 503), KEY)
    assert not_tried(["x"], paused) == (Undone("x", "server_error", "busy", 503),)


# ------------------------------------------------------------ culprits


def test_a_missing_property_concerns_all_that_carry_it() -> None:
    """400: who carries the unknown property is refused, the others go again."""
    given = [*inputs(3, foo="x")[:2], *inputs(5)[2:]]
    settled = settle(given, invalid("foo", "PROPERTY_DOESNT_EXIST", 'Property "foo"'), KEY)
    assert [one.key for one in settled.outcomes] == [given[0].key, given[1].key]
    assert settled.again == (tuple(one.key for one in given[2:]),)
    assert "ml-connector setup" in settled.outcomes[0].why.advice  # type: ignore[union-attr]


def test_a_missing_key_property_bars_the_object() -> None:
    """400: without the key property nothing can be written; setup is the remedy."""
    settled = settle(inputs(2), invalid(KEY, "PROPERTY_DOESNT_EXIST", "no key"), KEY)
    assert settled.verdict == "bar"
    assert settled.why is not None
    assert "setup" in settled.why.advice


def test_a_taken_unique_value_names_its_culprit() -> None:
    """400: the one that sends the taken value is refused at once; the rest goes again."""
    given = inputs(4)
    given[2] = Input(given[2].key, {**given[2].properties, "tax_id": "V-9"}, given[2].trace)
    settled = settle(given, taken("tax_id", "V-9"), KEY)
    refused = only(settled)
    assert refused.key == given[2].key
    assert refused.why.reason == "CONFLICTING_UNIQUE_VALUE"
    assert "512" in refused.why.advice
    assert len(settled.again[0]) == 3


def test_its_own_key_on_another_record_is_looked_at_again() -> None:
    """400: when the key itself is taken somebody created the record meanwhile: read by key."""
    given = inputs(2)
    settled = settle(given, taken(KEY, given[0].key), KEY)
    assert only(settled).unknown is True


def test_an_invalid_value_is_sought_where_it_stands() -> None:
    """400: inputs that carry the named value are set apart from the rest."""
    given = inputs(50)
    given[7] = Input(given[7].key, {**given[7].properties, "industry": "FOO"}, given[7].trace)
    for index in (1, 2, 3):
        one = given[index]
        given[index] = Input(one.key, {**one.properties, "industry": "BANKING"}, one.trace)
    settled = settle(
        given, invalid("industry", "INVALID_OPTION", "FOO was not one of the allowed"), KEY
    )
    assert settled.again[0] == (given[7].key,)
    assert len(settled.again[1]) == 49


def test_keys_that_differ_only_in_case_go_apart() -> None:
    """400 for duplicates: the twin goes alone, and nobody is refused."""
    given = [Input("ABC:x", {}, "t0"), Input("ABC:X", {}, "t1"), Input("ABC:y", {}, "t2")]
    answer = refusal(
        "Duplicate IDs found in batch input: [ABC:x]. IDs must be unique",
        context={"ids": ["ABC:x"]},
    )
    settled = settle(given, answer, KEY)
    assert settled.outcomes == ()
    assert settled.again == (("ABC:X",), ("ABC:x", "ABC:y"))


def test_a_nameless_refusal_parts_the_batch() -> None:
    """409 that names only another record's id: half and half, nobody refused yet."""
    settled = settle(
        inputs(5), refusal("Contact already exists. Existing ID: 51", 409, category="CONFLICT"), KEY
    )
    assert [len(group) for group in settled.again] == [2, 3]


def test_alone_the_culprit_is_certain() -> None:
    """A whole refusal of a single input is that input's."""
    refused = only(
        settle(
            inputs(1),
            refusal("Contact already exists. Existing ID: 51", 409, category="CONFLICT"),
            KEY,
        )
    )
    assert isinstance(refused, Refused)
    assert "record 51" in refused.why.advice


def test_a_rule_of_the_portal_has_its_own_advice() -> None:
    """A conditional-required property is explained as what it is: somebody's rule in HubSpot."""
    answer = refusal(
        "rule",
        errors=[
            {
                "message": "rule",
                "code": "MISSING_CONDITIONAL_REQUIRED_PROPERTY",
                "context": {"propertyName": ["territory"]},
            }
        ],
    )
    why = only(settle(inputs(1), answer, KEY)).why
    assert why.reason == "MISSING_CONDITIONAL_REQUIRED_PROPERTY"
    assert "rule in HubSpot" in why.advice
    assert "territory" in why.advice


def test_a_long_message_is_cut() -> None:
    """Whole option lists come in messages; the log keeps their beginning, on one line."""
    why = only(settle(inputs(1), refusal("bad\n" + "x" * 100_000), KEY)).why
    assert len(why.message) == 500
    assert "\n" not in why.message
