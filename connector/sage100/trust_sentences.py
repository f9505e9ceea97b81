"""What a diagnosis says: which flaw, of which certificate, shown for which name.

The dates, names, issuer and fingerprint in it are those that the server really showed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from connector.sage100.trust_certificate import Certificate, is_address
from connector.sage100.trust_probe import Hello
from connector.sage100.trust_words import Asked, Problem

OLD: Final = frozenset({"SSL 3.0", "TLS 1.0", "TLS 1.1"})
_SHOWN_NAMES: Final = 8


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What became known of the handshake that failed. `verify_code`: X509_V_ERR_, 0 for none.

    `reason`: OpenSSL's own word, such as TLSV1_ALERT_PROTOCOL_VERSION. `reset`: it was hung up.
    """

    verify_code: int = 0
    reason: str = ""
    text: str = ""
    reset: bool = False


def sentence(
    problem: Problem,
    asked: Asked,
    failure: Failure,
    seen: Hello,
    sent: Sequence[Certificate],
    other: Certificate | None,
    now: datetime,
) -> str:
    """The problem in a sentence. `other`: the certificate shown without SNI."""
    shown = sent[0] if sent else None
    issuer = shown.issuer if shown and shown.issuer else "an issuer that could not be seen"
    match problem:
        case "unknown_ca":
            trusted = f"the CAs in {asked.ca_bundle}" if asked.ca_bundle else "the CAs it knows"
            return (
                f"The agent's certificate comes from a CA that this machine does not trust: "
                f"{_top(sent) or issuer} is not among {trusted}."
            )
        case "self_signed":
            return "The agent's certificate is self-signed, and not one that is trusted here."
        case "expired":
            late = _out_of_date(sent, now) or shown
            until = _day(late.not_after if late else None)
            return f"{_whose(late, shown)} expired on {until}{_clock(now)}."
        case "not_yet_valid":
            early = _out_of_date(sent, now) or shown
            since = _day(early.not_before if early else None)
            return f"{_whose(early, shown)} is valid only from {since} on{_clock(now)}."
        case "wrong_host":
            return f"The agent's certificate does not name {asked.host}{_why_not(asked, shown)}"
        case "other_site":
            return f"The certificate shown for {asked.host} is another site's{_sites(shown, other)}"
        case "missing_intermediate":
            return (
                "The server sends its own certificate without the intermediate one that leads to a "
                f"trusted root: {issuer} is missing."
            )
        case "unsuitable":
            return f"The agent's certificate is not fit for a server: {failure.text}."
        case "old_tls":
            speaks = f"speaks {seen.version}" if seen.version in OLD else "refuses TLS 1.2"
            return f"The server {speaks}; at least TLS 1.2 is needed."
        case "no_cipher":
            return "The server has no cipher suite in common with us that is still held safe."
        case "pin_mismatch":
            mark = shown.fingerprint if shown else "none"
            return (
                f"The agent's certificate is not the pinned one: pinned is {asked.pin}, shown is "
                f"{mark}."
            )
        case "client_certificate":
            given = "another client certificate than ours" if asked.presents else "one from us"
            return f"The server demands a client certificate: {given} ({_said(failure)})."
        case "plain_http":
            text = re.sub(r"[^\x20-\x7e]+", " ", seen.plain.decode("ascii", "replace"))[:60]
            return f"Port {asked.port} does not speak TLS; it answers in plain: {text.strip()!r}."
        case "reset":
            return "The connection was closed in the middle of the TLS handshake."
        case "unclear":
            return f"The TLS handshake failed: {_said(failure)}."


def facts(asked: Asked, shown: Certificate) -> str:
    """What the certificate shown says of itself."""
    if not shown.readable:
        return f"Shown for {asked.host}: something that is no certificate, {shown.fingerprint}."
    since, until = _day(shown.not_before), _day(shown.not_after)
    return (
        f"Shown for {asked.host}: {shown.subject or 'no subject'}; names {_list(shown.names)}; "
        f"issued by {shown.issuer or 'nobody'}; valid {since} to {until}; {shown.fingerprint}."
    )


def besides(problem: Problem, asked: Asked, shown: Certificate, now: datetime) -> Iterator[str]:
    """The certificate's other flaws, which would be met next."""
    """The certificate's other flaws, which would be met next."""
    if not shown.readable or problem in {"plain_http", "old_tls", "no_cipher"}:
        return
    if problem not in {"wrong_host", "other_site"} and not shown.covers(asked.host):
        yield f"Besides, it does not name {asked.host}."
    if problem in {"expired", "not_yet_valid"}:
        return
    if shown.not_after is not None and shown.not_after < now:
        yield f"Besides, it expired on {_day(shown.not_after)}{_clock(now)}."
    elif shown.not_before is not None and shown.not_before > now:
        yield f"Besides, it is valid only from {_day(shown.not_before)} on{_clock(now)}."


def _why_not(asked: Asked, shown: Certificate | None) -> str:
    if shown is None:
        return "."
    if not shown.names:
        return (
            f": it has no subject alternative names, and its common name {shown.common_name!r} "
            "is not taken for one (RFC 9525)."
        )
    if is_address(asked.host):
        return (
            f", an address; it names {_list(shown.names)}. An address carries no server name "
            "(SNI) either, so IIS answers with the certificate of its default site."
        )
    return f"; it names {_list(shown.names)}."


def _sites(shown: Certificate | None, other: Certificate | None) -> str:
    names = _list(shown.names) if shown else "nothing"
    if shown is not None and other is not None:
        if other.fingerprint != shown.fingerprint:
            return f": it names {names} (and without a server name, {_list(other.names)})."
        return (
            f": it names {names}. The same is shown without a server name (SNI), so IIS has no "
            "binding for this host name and falls back on its default."
        )
    return f": it names {names}."


def _top(sent: Sequence[Certificate]) -> str:
    """The issuer at which the chain sent ends."""
    if not sent:
        return ""
    top, seen = sent[0], {sent[0].subject_key}
    while True:
        above = next((one for one in sent if one.subject_key == top.issuer_key), None)
        if above is None or above.subject_key in seen:
            return top.issuer
        top = above
        seen.add(top.subject_key)


def _out_of_date(sent: Sequence[Certificate], now: datetime) -> Certificate | None:
    """The certificate whose dates are wrong: the server's own, or one above it."""
    for one in sent:
        if one.not_after is not None and one.not_after < now:
            return one
        if one.not_before is not None and one.not_before > now:
            return one
    return None


def _whose(one: Certificate | None, shown: Certificate | None) -> str:
    if one is None or shown is None or one.fingerprint == shown.fingerprint:
        return "The agent's certificate"
    return f"The CA certificate {one.subject}, above the agent's,"


def _clock(now: datetime) -> str:
    return f" (this machine's clock: {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC)"


def _day(moment: datetime | None) -> str:
    return "an unknown day" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _list(names: Sequence[str]) -> str:
    if not names:
        return "no host"
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more


def _said(failure: Failure) -> str:
    return failure.reason.replace("_", " ").lower() or failure.text or "without a word"
