"""What a wrong configuration is told: the line, what was expected, the nearest valid name."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.config import InvalidConfiguration, load_config
from tests.config.sample import (
    ENV,
    SECOND_AGENT,
    TEXT,
    changed,
    line,
    load,
    only_problem,
    problems,
)


@pytest.mark.parametrize(
    ("right", "wrong", "key", "nearest"),
    [
        ("timezone ", "timezon ", "sage100[0].timezon", "timezone"),
        ("api_version", "api-version", "hubspot.api-version", "api_version"),
        ("password ", "pasword ", "sage100[0].auth.pasword", "password"),
        ("[telemetry]", "[telemetri]", "telemetri", "telemetry"),
        ("overlap ", "Overlap ", "sage100[0].Overlap", "overlap"),
    ],
)
def test_unknown_key(tmp_path: Path, right: str, wrong: str, key: str, nearest: str) -> None:
    """An unknown key is named with its line and the valid name nearest to it."""
    text = changed(right, wrong)
    found = {problem.key: problem for problem in problems(tmp_path, text)}
    assert found[key].line == line(wrong, text)
    assert f'did you mean "{nearest}"' in found[key].message


def test_key_under_the_wrong_header(tmp_path: Path) -> None:
    """A key that landed in the table above it is told where it belongs."""
    text = changed('companies = ["ABC"]\n', "")
    text = changed("[sage100.tls]\n", '[sage100.tls]\ncompanies = ["ABC"]\n', text)
    found = {problem.key: problem.message for problem in problems(tmp_path, text)}
    assert "belongs to [sage100]" in found["sage100[0].tls.companies"]
    assert "missing" in found["sage100[0].companies"]


def test_missing_key(tmp_path: Path) -> None:
    """A missing key is reported on the line of its table, with what it should hold."""
    text = changed('timezone  = "America/Chicago"\n', "")
    problem = only_problem(tmp_path, text)
    assert problem.key == "sage100[0].timezone"
    assert problem.line == line("[[sage100]]", text)
    assert "America/Chicago" in problem.message


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    """One reading names all mistakes, in the order of their lines."""
    text = changed('"ABC"', '"abc"')
    text = changed("America/Chicago", "America/Chicgo", text)
    text = changed('tier        = "professional"', 'tier = "profesional"', text)
    found = problems(tmp_path, text)
    assert [problem.key for problem in found] == [
        "sage100[0].companies",
        "sage100[0].timezone",
        "hubspot.tier",
    ]
    assert [problem.line for problem in found] == sorted(problem.line or 0 for problem in found)


@pytest.mark.parametrize(
    ("key", "right"),
    [
        ("sage100[0].auth.password", '{ env = "SAGE100_PASSWORD" }'),
        ("sage100[0].auth.api_key", '{ env = "SAGE100_API_KEY" }'),
        ("hubspot.token", '{ env = "HUBSPOT_TOKEN" }'),
    ],
)
@pytest.mark.parametrize(
    "literal", ['"s3cr3t-value"', '{ env = "s3cr3t-value" }', '["s3cr3t-value"]']
)
def test_literal_secret(tmp_path: Path, key: str, right: str, literal: str) -> None:
    """A secret written into the file is refused, and no message repeats it."""
    text = changed(right, literal)
    with pytest.raises(InvalidConfiguration) as raised:
        load(tmp_path, text)
    (problem,) = raised.value.problems
    assert (problem.key, problem.line) == (key, line(literal, text))
    assert "s3cr3t-value" not in str(raised.value)


def test_missing_environment_variable(tmp_path: Path) -> None:
    """A secret that is not there is named by its variable."""
    env = {name: value for name, value in ENV.items() if name != "HUBSPOT_TOKEN"}
    problem = only_problem(tmp_path, TEXT, env)
    assert problem.key == "hubspot.token"
    assert "HUBSPOT_TOKEN is not set" in problem.message


def test_empty_environment_variable(tmp_path: Path) -> None:
    """An empty secret is none."""
    problem = only_problem(tmp_path, TEXT, ENV | {"HUBSPOT_TOKEN": "  "})
    assert "HUBSPOT_TOKEN is empty" in problem.message


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("HUBSPOT_TOKEN", "pat-na1\nX-Other: 1", "a line break or another control character"),
        ("HUBSPOT_TOKEN", "pat-na1-\x07", "control character (at place 9)"),
        ("HUBSPOT_TOKEN", "pat-na1-\u00e9", "no key or token has (at place 9)"),
        ("HUBSPOT_TOKEN", "\ufeffpat-na1", "no key or token has (at place 1)"),
        ("HUBSPOT_TOKEN", " pat-na1", "blanks before or behind it"),
        ("HUBSPOT_TOKEN", "pat-na1\r\n", "a line break or another control character"),
        ("SAGE100_API_KEY", "k\u00e9y", "no key or token has"),
        ("SAGE100_API_KEY", "k3y-1\t", "control character"),
        ("SAGE100_PASSWORD", "pass\nword", "a line break or another control character"),
    ],
)
def test_secret_that_cannot_be_sent(tmp_path: Path, name: str, value: str, why: str) -> None:
    """What no header can carry is refused at start, by where it came from and never by itself."""
    with pytest.raises(InvalidConfiguration) as raised:
        load(tmp_path, TEXT, ENV | {name: value})
    (problem,) = raised.value.problems
    assert f"the environment variable {name} holds" in problem.message
    assert why in problem.message
    assert value.strip() not in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_secret_file_missing_or_empty(tmp_path: Path, content: str | None) -> None:
    """A secret's file that cannot be used is named."""
    if content is not None:
        (tmp_path / "token").write_text(content)
    text = changed('{ env = "HUBSPOT_TOKEN" }', '{ file = "token" }')
    assert str(tmp_path / "token") in only_problem(tmp_path, text).message


@pytest.mark.parametrize(
    ("right", "wrong", "key"),
    [
        ("https://sage.acme.local/", "http://sage.acme.local/", "sage100[0].endpoint"),
        ("https://sage.acme.local/", "http://192.168.1.10/", "sage100[0].endpoint"),
        ("https://sage.acme.local/", "http://127.0.0.1.example.com/", "sage100[0].endpoint"),
        ("https://sage.acme.local/", "http://localhost@evil.example/", "sage100[0].endpoint"),
        ("https://sage.acme.local/", "ftp://sage.acme.local/", "sage100[0].endpoint"),
        ("https://sage.acme.local/", "https://sage.acme.local:99999/", "sage100[0].endpoint"),
        ("https://api.hubapi.com", "http://api.hubapi.com", "hubspot.base_url"),
        ("https://api.hubapi.com", "https://api.hubapi.com?x=1", "hubspot.base_url"),
    ],
)
def test_address(tmp_path: Path, right: str, wrong: str, key: str) -> None:
    """An address over which secrets or customer data would travel openly is refused."""
    problem = only_problem(tmp_path, changed(right, wrong))
    assert problem.key == key
    assert "https://" in problem.message


def test_password_in_an_address_is_not_repeated(tmp_path: Path) -> None:
    """Credentials in an address are refused without being shown."""
    text = changed("https://sage.acme.local/", "https://bob:hunter2@sage.acme.local/")
    message = only_problem(tmp_path, text).message
    assert "user names and passwords" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("companies", "hint"),
    [
        ('["abc"]', 'did you mean "ABC"?'),
        ('["ABCD"]', "'ABCD' is not such a code"),
        ('["AB"]', "'AB' is not such a code"),
        ("[]", "3-character"),
        ('"ABC"', "3-character"),
        ("[1]", "is not such a code"),
        ('["ABC", "ABC"]', "twice"),
    ],
)
def test_company_codes(tmp_path: Path, companies: str, hint: str) -> None:
    """Company codes are lists of three upper-case letters or digits, each once."""
    problem = only_problem(tmp_path, changed('["ABC"]', companies))
    assert problem.key == "sage100[0].companies"
    assert hint in problem.message


def test_company_in_two_agents(tmp_path: Path) -> None:
    """One company code cannot be read through two agents."""
    text = TEXT + changed('["CAN"]', '["ABC"]', SECOND_AGENT)
    problem = only_problem(tmp_path, text)
    assert problem.key == "sage100[1].companies"
    assert (
        problem.line
        == line('companies = ["ABC"]', text[text.index("north") :]) + line("north", text) - 1
    )
    assert '"acme"' in problem.message


def test_name_of_two_agents(tmp_path: Path) -> None:
    """Two agents cannot share a name: streams are called by it."""
    text = TEXT + changed('"north"', '"acme"', SECOND_AGENT)
    assert only_problem(tmp_path, text).key == "sage100[1].name"


@pytest.mark.parametrize(
    ("currency", "hint"),
    [
        ('"usd"', "ISO currency"),
        ("840", "ISO currency"),
        ("{}", "ISO currency"),
        ('{ ABD = "USD" }', 'did you mean "ABC"?'),
        ('{ ABC = "USD", XYZ = "CAD" }', '"XYZ" is not one of companies'),
    ],
)
def test_currency(tmp_path: Path, currency: str, hint: str) -> None:
    """Currencies are ISO codes; a table of them names the companies of this agent."""
    text = changed('currency  = "USD"', f"currency = {currency}")
    assert any(hint in problem.message for problem in problems(tmp_path, text))


@pytest.mark.parametrize(
    ("right", "wrong", "key"),
    [
        ('"1d"', '"1 day"', "sage100[0].overlap"),
        ('"1d"', "1", "sage100[0].overlap"),
        ('"1d"', '"1d1d"', "sage100[0].overlap"),
        ("= 12", '= 12\nmass_change = "0%"', "sage100[0].mass_change"),
        ("= 12", '= 12\nmass_change = "101%"', "sage100[0].mass_change"),
        ("= 12", "= 12\nmass_change = 0.2", "sage100[0].mass_change"),
        ("= 12", '= 12\nmass_change = "a fifth"', "sage100[0].mass_change"),
        ("= 12", "= 0", "sage100[0].revenue_periods"),
        ("= 12", '= "12"', "sage100[0].revenue_periods"),
        ("= 12", "= true", "sage100[0].revenue_periods"),
        ('"127.0.0.1:8440"', '"8440"', "console.listen"),
        ('"127.0.0.1:8440"', '"127.0.0.1:99999"', "console.listen"),
        ("metrics       = true", 'metrics = "yes"', "telemetry.metrics"),
        ('"sqlite:///events.db"', '"events.db"', "store.url"),
        ('"sqlite:///events.db"', '"mysql://x"', "store.url"),
        ('"acme"', '"a/b"', "sage100[0].name"),
        ('scheme    = "basic"', 'scheme = "kerberos"', "sage100[0].auth.scheme"),
        ("[sage100.tls]", '[sage100.tls]\npin = "sha256:12"', "sage100[0].tls.pin"),
        ("[sage100.tls]", '[sage100.tls]\nca_bundle = "no.pem"', "sage100[0].tls.ca_bundle"),
        ('tier        = "professional"', 'mapping = "no.toml"', "hubspot.mapping"),
        ('tier        = "professional"', 'reserve = "95%"', "hubspot.reserve"),
        ('tier        = "professional"', "reserve = 0.1", "hubspot.reserve"),
        ('tier        = "professional"', 'invoices = "both"', "hubspot.invoices"),
        ('tier        = "professional"', 'line_items = "yes"', "hubspot.line_items"),
        ('CustomerNo = "CustomerNumber"', "CustomerNo = 1", "sage100[0].columns"),
    ],
)
def test_wrong_value(tmp_path: Path, right: str, wrong: str, key: str) -> None:
    """A value of the wrong kind is refused with its key, its line and what was expected."""
    text = changed(right, wrong)
    problem = only_problem(tmp_path, text)
    assert problem.key == key
    assert problem.line is not None
    assert "expected" in problem.message


def test_a_store_is_a_file(tmp_path: Path) -> None:
    """What is asked for instead of a bad address is what a start accepts, and nothing else."""
    message = only_problem(tmp_path, changed('"sqlite:///events.db"', '"events.db"')).message
    assert "sqlite:////absolute/path.db" in message
    assert "postgresql" not in message


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ('"61 * * * *"', "minute"),
        ('"* * *"', "cron"),
        ('"15 minutes"', "cron"),
        ('"0m"', "a second at least"),
        ('"0 0 31 2 *"', "day-of-month"),
        ("15", "cron"),
    ],
)
def test_schedule(tmp_path: Path, wrong: str, hint: str) -> None:
    """A schedule that is neither an interval nor cron, or never comes due, is refused."""
    problem = only_problem(tmp_path, changed('"15m"', wrong))
    assert problem.key == "sage100[0].schedule.invoices"
    assert hint in problem.message


@pytest.mark.parametrize("wrong", ['["22-04"]', '["25:00-04:00"]', '["04:00-04:00"]', '"22:00"'])
def test_quiet_hours(tmp_path: Path, wrong: str) -> None:
    """Quiet hours are spans of the clock that begin and end at different times."""
    problem = only_problem(tmp_path, changed('["22:00-04:30"]', wrong))
    assert problem.key == "sage100[0].quiet_hours"
    assert "22:00-04:30" in problem.message


def test_time_zone(tmp_path: Path) -> None:
    """A zone that is not in the IANA list is refused, with one that ends like it."""
    text = changed("America/Chicago", "chicago")
    assert 'did you mean "America/Chicago"?' in only_problem(tmp_path, text).message


@pytest.mark.parametrize(
    ("right", "wrong", "hint"),
    [
        ('api_key   = { env = "SAGE100_API_KEY" }\n', "", "neither is given"),
        (
            'api_key   = { env = "SAGE100_API_KEY" }\n',
            'client_key = { env = "SAGE100_API_KEY" }\n',
            "go together",
        ),
    ],
)
def test_agent_key_or_certificate(tmp_path: Path, right: str, wrong: str, hint: str) -> None:
    """The agent's layer needs its key, or a client certificate with its key."""
    problem = only_problem(tmp_path, changed(right, wrong))
    assert problem.key == "sage100[0].auth"
    assert hint in problem.message


def test_syntax_error(tmp_path: Path) -> None:
    """A file that is not TOML is refused with the line that is not."""
    text = changed('currency  = "USD"', 'currency  = "USD')
    problem = only_problem(tmp_path, text)
    assert problem.line == line('currency  = "USD', text)
    assert "not valid TOML" in problem.message


def test_not_text(tmp_path: Path) -> None:
    """A file in another encoding is refused with the first line that shows it."""
    path = tmp_path / "ml-connector.toml"
    path.write_bytes(b"[store]\n# caf\xe9\n")
    with pytest.raises(InvalidConfiguration) as raised:
        load_config(path, ENV)
    assert [problem.line for problem in raised.value.problems] == [2]


def test_no_file(tmp_path: Path) -> None:
    """A missing file is named, with the command that writes one."""
    with pytest.raises(InvalidConfiguration) as raised:
        load_config(tmp_path / "none.toml", ENV)
    assert raised.value.where == str(tmp_path / "none.toml")
    assert "ml-connector init" in raised.value.remedy
    assert raised.value.exit_code == 2


def test_empty_file(tmp_path: Path) -> None:
    """An empty file is told which tables it needs."""
    assert {problem.key for problem in problems(tmp_path, "")} == {"store", "sage100", "hubspot"}


def test_tables_that_are_none(tmp_path: Path) -> None:
    """A single table where several are allowed, or a value in place of a table, is told so."""
    text = changed("[[sage100]]", "[sage100]")
    assert "[[sage100]]" in only_problem(tmp_path, text).message
    found = problems(tmp_path, "console = 1\n" + TEXT.replace("[console]", "[other]"))
    assert "console" in {problem.key for problem in found}
