"""The table of all that goes wrong at a Sage 100 site, and where each line of it is proved.

A line names the tests that make the fault, see the event, read the operator's text and let the next
good pass heal it. Most are rows of `test_every_fault`, `test_every_answer`, `test_every_refusal`,
`test_every_change` and `test_every_value`; what needs a place of its own is found by its function.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e import (
    test_breaker,
    test_company_code,
    test_every_value,
    test_instances,
    test_profiles,
    test_time,
)
from tests.sage100 import (
    test_answers,
    test_change_cursor,
    test_change_emptied,
    test_change_gone,
    test_change_held,
    test_change_machine,
    test_check,
    test_check_columns,
    test_check_doors,
    test_check_reach,
    test_client,
    test_every_answer,
    test_every_change,
    test_every_fault,
    test_every_refusal,
    test_in_use,
    test_logon,
    test_logon_certificate,
    test_logon_hostile,
    test_page_size,
    test_poller_broken,
    test_refusals,
    test_rounds,
    test_service,
    test_site_day,
    test_sweep,
    test_trust,
    test_trust_check,
)
from tests.sandbox import test_agent_zeep

REFUSED = test_every_refusal.test_each_refused_log_on
UNTRUSTED = test_every_refusal.test_each_refused_certificate
OUR_TLS = test_every_refusal.test_each_certificate_of_ours_that_does_not_fit
MISFIT = test_every_refusal.test_each_configuration_that_does_not_fit
FAULT = test_every_fault.test_each_fault_of_the_contract
HICCUP = test_every_fault.test_each_hiccup_passes_unnoticed
LOG_ON = test_every_fault.test_each_log_on_that_comes_to_no_end
STRANGER = test_every_answer.test_each_answer_of_somebody_else
UNUSABLE = test_every_answer.test_each_answer_that_cannot_be_used
CHANGE = test_every_change.test_each_change_arrives
VALUE = test_every_value.test_each_value_is_shown_as_it_is_meant
CHECK = test_check.test_each_thing_that_is_wrong_has_its_line

Proof = Callable[..., Any]
TABLE: dict[str, dict[str, tuple[Proof, ...]]] = {
    "log-on": {
        "wrong password, unknown user, locked account, changed password": (REFUSED,),
        "wrong API key": (REFUSED,),
        "a scheme that is not offered": (REFUSED,),
        "Sage 100 refuses the agent's user": (REFUSED,),
        "refused over restarts, until released or corrected": (
            REFUSED,
            test_refusals.test_four_starts_make_one_attempt,
            test_refusals.test_a_release_allows_one_attempt_more,
            test_refusals.test_a_corrected_password_works_at_once,
        ),
        "a connection is replaced": (HICCUP, test_logon.test_a_replaced_connection_logs_on_anew),
        "a proxy keeps no connection": (
            LOG_ON,
            test_logon.test_a_proxy_that_keeps_no_connection_is_named,
        ),
        "200 pages cost one handshake": (test_logon.test_one_log_on_serves_a_connection,),
        "an answer to a proof is lost": (
            HICCUP,
            LOG_ON,
            test_logon.test_a_lost_answer_to_a_proof_is_asked_again_once,
            test_logon.test_unanswered_proofs_do_not_lock_the_account,
        ),
        "a server that proves nothing": (
            test_logon_hostile.test_a_server_that_proves_nothing_is_not_believed,
        ),
        "no, or no trusted, client certificate": (
            OUR_TLS,
            test_logon_certificate.test_without_a_trusted_certificate_nothing_is_said,
            test_trust.test_a_client_certificate_that_is_demanded_is_asked_for,
        ),
    },
    "trust": {
        "each flaw of a certificate, an unknown CA, old TLS, another site's": (UNTRUSTED,),
        "an address instead of a name": (
            test_trust.test_an_address_gets_the_default_sites_certificate,
        ),
        "another certificate than the pinned one": (
            OUR_TLS,
            test_trust.test_another_certificate_than_the_pinned_is_refused,
        ),
        "plain HTTP on the port": (test_trust.test_plain_http_on_the_port_is_named,),
        "a certificate that ends soon": (
            test_trust_check.test_a_certificate_that_ends_soon_is_said_before_it_does,
        ),
    },
    "check": {
        "an unknown host, no name server": (
            test_check_reach.test_a_name_without_address_is_named_with_its_remedy,
        ),
        "nobody listens, a firewall, no route": (
            test_check_reach.test_a_port_where_nobody_listens_is_refused,
            test_check_reach.test_a_firewall_and_a_missing_route_are_told_apart,
        ),
        "a refused log-on, tried once": (
            test_check_doors.test_a_refused_log_on_is_tried_exactly_once,
        ),
        "a wrong key, a refused client certificate": (
            test_check_doors.test_a_wrong_key_is_not_the_accounts_fault,
            test_check_doors.test_a_client_certificate_that_is_not_taken_has_its_remedy,
        ),
        "another WSDL, and what came instead of one": (
            test_check_doors.test_what_came_instead_of_the_wsdl_is_said,
            test_check_doors.test_an_answer_that_is_no_document_is_the_wsdls_line,
        ),
        "columns without which HubSpot would be wrong": (
            test_check_columns.test_invoices_without_amounts_are_not_well,
            test_check_columns.test_each_missing_column_is_named_with_what_is_lost,
        ),
        "clock, zone, company codes, external access, blank columns": (CHECK,),
        "missing columns and entities": (test_check.test_missing_columns_are_named,),
        "columns that are always blank": (test_check.test_columns_that_are_always_blank_are_said,),
        "a refused certificate": (
            test_trust_check.test_a_refused_certificate_is_a_line_with_the_same_words,
        ),
    },
    "change detection": {
        "stamped, blank, future, old stamps; clocks that go back": (CHANGE,),
        "import, credit match, posting, aging refresh: not stamped": (CHANGE,),
        "the hour that comes twice": (
            test_change_cursor.test_rows_written_in_the_hour_that_comes_twice_are_all_seen,
        ),
        "a pass over midnight": (
            test_change_cursor.test_a_pass_over_midnight_starts_the_next_one_on_the_day_it_began,
        ),
        "the blind spot": (
            CHANGE,
            test_change_cursor.test_the_blind_spot_is_that_of_the_last_seven_days,
        ),
        "deleted, paid, purged, renumbered, merged, expanded": (
            CHANGE,
            test_change_gone.test_an_open_invoice_that_vanishes_is_paid_when_what_came_in_covers_it,
        ),
        "a record that returns": (
            CHANGE,
            test_sweep.test_a_vanished_row_that_is_there_again_returns,
        ),
        "a mass change, and its release": (
            test_breaker.test_a_mass_change_that_is_meant_goes_on_after_the_release,
            test_change_held.test_new_keys_are_held_by_a_cursor_pass_before_anything_is_decided,
        ),
        "an entity that shows nothing any more": (
            test_change_emptied.test_what_becomes_empty_is_held_and_heals,
            test_change_emptied.test_a_single_record_may_go,
        ),
        "another company's files": (
            test_breaker.test_another_company_under_the_code_reaches_hubspot_with_nothing,
        ),
        "a restored backup": (
            CHANGE,
            test_change_held.test_a_large_restored_backup_is_held_as_one,
        ),
        "a scan limit, an incomplete page": (
            UNUSABLE,
            CHANGE,
            test_change_cursor.test_only_a_complete_last_page_is_the_end,
        ),
        "a place that is lost": (FAULT, test_poller_broken.test_a_lost_place_starts_the_pass_again),
        "a poll that is queued again": (
            test_change_cursor.test_a_poll_queued_again_leaves_no_event,
        ),
        "whatever, in any order": (test_change_machine.TestChange.runTest,),
    },
    "values": {
        "each form of key, date, number, text, country, type": (VALUE,),
        "old, new and messy Sage 100s": (test_profiles.test_each_kind_of_sage_100_arrives,),
        "aging: limits, bases, a new day": (
            test_every_value.test_aging_moves_with_the_day_and_not_with_sage_100s_buckets,
            test_time.test_a_new_day_ages_what_is_open_and_nothing_else,
            test_time.test_other_aging_options_age_everything_anew,
        ),
        "aging limits by which nothing can be aged": (
            MISFIT,
            test_rounds.test_a_company_that_cannot_be_aged_is_passed_over,
        ),
        "the site's midnight": (
            test_rounds.test_the_sites_day_reaches_the_log_once_a_day,
            test_site_day.test_a_day_begins_at_the_sites_midnight_without_a_round,
            test_time.test_a_day_begins_while_nothing_may_be_read,
        ),
        "a clock of ours that is wrong": (
            test_site_day.test_a_day_that_the_agents_clock_contradicts_is_not_told,
            test_time.test_a_day_told_by_a_wrong_clock_is_taken_back,
        ),
    },
    "manners": {
        "one request at a time": (test_client.test_one_request_at_a_time,),
        "quiet hours": (
            test_service.test_nothing_is_asked_in_quiet_hours,
            test_service.test_quiet_hours_pause_a_pass_that_is_under_way,
            test_service.test_a_failure_at_the_beginning_of_quiet_hours_is_no_alarm,
        ),
        "an agent that is slow": (
            test_page_size.test_a_slow_agent_is_asked_for_less_and_a_quick_one_for_more,
        ),
        "ExclusiveUse, SessionBusy, LicenseExhausted": (
            FAULT,
            test_in_use.test_a_maintenance_window_is_no_alarm,
            test_in_use.test_a_window_that_never_ends_becomes_an_alarm,
        ),
        "RecordLocked, Internal": (FAULT,),
        "502, 503, 504, pages of IIS, proxies and tunnels": (STRANGER,),
        "a stop while waiting to ask again": (
            test_service.test_a_stop_ends_the_wait_for_another_attempt,
        ),
        "a redirect": (test_answers.test_a_redirect_is_not_followed,),
        "cut off, trickling, silent, oversized, malformed, with a DTD": (UNUSABLE,),
        "pages that go round": (UNUSABLE, test_poller_broken.test_pages_that_go_round_are_refused),
        "an agent that is down, or restarts": (UNUSABLE,),
        "a cold start": (HICCUP, UNUSABLE),
        "an odd clock, an endless wait, an error of this program": (
            test_instances.test_an_odd_agent_fails_alone_and_heals,
            test_instances.test_an_error_of_this_program_fails_one_instance_alone,
            test_poller_broken.test_a_cursor_that_cannot_be_read_counts_as_none,
        ),
    },
    "configuration": {
        "another zone, a wrong column name": (MISFIT,),
        "an unknown company code": (
            test_company_code.test_an_unknown_company_code_is_reported_with_those_served,
        ),
        "an entity that is not served any more": (
            test_company_code.test_an_entity_that_is_served_no_more_is_said_once,
        ),
    },
    "several instances": {
        "one fails, the other is kept true": (
            test_instances.test_one_fails_and_the_other_is_kept_true,
        ),
        "one hangs": (test_instances.test_an_agent_that_hangs_delays_nobody_else,),
        "one refuses us": (
            test_instances.test_an_agent_that_refused_us_does_not_end_the_service,
            test_instances.test_an_agent_that_refused_us_is_asked_again_after_a_release,
        ),
        "two of one agent": (test_instances.test_two_instances_of_one_agent_ask_it_in_turn,),
    },
    "another client": {
        "zeep reads the WSDL and calls all operations": (
            test_agent_zeep.test_it_reads_every_row_page_by_page,
            test_agent_zeep.test_it_reads_one_row_by_its_key,
            test_agent_zeep.test_it_reads_what_the_agent_says_of_itself,
        ),
    },
}
LINES = [(section, line) for section, lines in TABLE.items() for line in lines]


@pytest.mark.parametrize(("section", "line"), LINES)
def test_each_line_of_the_table_is_proved(section: str, line: str) -> None:
    """What a line names is collected as a test, and states its rule."""
    for proof in TABLE[section][line]:
        module = inspect.getmodule(proof)
        assert module is not None
        if proof is test_change_machine.TestChange.runTest:
            continue  # a state machine, whose test the library makes
        assert module.__name__.rpartition(".")[2].startswith("test_")
        assert getattr(module, proof.__name__) is proof
        assert proof.__name__.startswith("test_")
        assert proof.__doc__


def test_no_row_has_the_name_of_another() -> None:
    """Each row of the tables can be asked for by its name."""
    tables = (
        [one.name for one in (*test_every_fault.IN_USE, *test_every_fault.FAULT_CODES)],
        [one.name for one in (*test_every_fault.HICCUPS, *test_every_fault.LOG_ONS)],
        [one.name for one in test_every_answer.STRANGERS],
        [one.name for one in test_every_answer.ANSWERS],
        [
            one.name
            for one in (
                *test_every_refusal.TRUST,
                *test_every_refusal.OUR_TLS,
                *test_every_refusal.MISFITS,
            )
        ],
        [one.name for one in test_every_change.ROWS],
        [one.name for one in test_every_value.ROWS],
        [one.name for one in test_check.ROWS],
    )
    for names in tables:
        assert names
        assert len(names) == len(set(names))
