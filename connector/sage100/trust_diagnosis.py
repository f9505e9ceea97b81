"""Why a TLS handshake failed, from what OpenSSL said and what the server was seen to send.

Pure: `judge` gets the evidence and gives the problem with its sentences. OpenSSL stops at the first
flaw; the others that the certificate has are named as well, so that it is mended once.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import aiohttp
import msgspec

from connector.sage100.trust_certificate import Certificate, is_address, read
from connector.sage100.trust_probe import Hello
from connector.sage100.trust_sentences import OLD, Failure, besides, facts, sentence
from connector.sage100.trust_words import Asked, Problem, remedy

_PROTOCOL_VERSION: Final = 70  # the alert, RFC 5246 7.2
# Alerts of a server: about a certificate of ours for sure, or perhaps, when it asked for one.
_OUR_CERTIFICATE: Final = re.compile(r"ALERT_\w*(CERTIFICATE|UNKNOWN_CA)")
_PERHAPS_OURS: Final = re.compile(r"ALERT_(HANDSHAKE_FAILURE|ACCESS_DENIED|DECRYPT_ERROR)")
_OLD_REASONS: Final = re.compile(r"UNSUPPORTED_PROTOCOL|ALERT_PROTOCOL_VERSION|VERSION_TOO_LOW")

# OpenSSL's X509_V_ERR_ numbers (x509_vfy.h).
_NOT_YET, _EXPIRED, _SELF_SIGNED = 9, 10, 18
_NO_ISSUER: Final = frozenset({2, 19, 20, 21, 27})
_OTHER_NAME: Final = frozenset({62, 64})
_UNFIT: Final = frozenset({24, 26, 28, 66, 67, 68, 79, 94})


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict. `certificate`: the one shown, None when none was seen."""

    problem: Problem
    what: str
    remedy: str
    certificate: Certificate | None = None


def failure_of(problem: BaseException) -> Failure | None:
    """What an exception of aiohttp or ssl says of a handshake; None when it tells of none."""
    causes = list(_beneath(problem))
    for error in causes:
        if isinstance(error, ssl.SSLError):
            return Failure(
                verify_code=getattr(error, "verify_code", 0),
                reason=getattr(error, "reason", None) or "",
                text=getattr(error, "verify_message", "") or error.strerror or str(error),
            )
    alert = re.search(r"\[SSL: (\w+)\]", str(problem))
    if alert is not None:
        return Failure(reason=alert[1], text=alert[1])
    if any(isinstance(one, ConnectionResetError | ConnectionAbortedError) for one in causes):
        return Failure(reset=True, text="connection reset")
    return None


def about_our_certificate(failure: Failure) -> bool:
    """Whether the server ended it with an alert about a certificate of ours.

    In TLS 1.3 it says so after our side of the handshake is done, in place of an answer.
    """
    return _OUR_CERTIFICATE.search(failure.reason) is not None


def judge(
    asked: Asked,
    failure: Failure,
    seen: Hello,
    unnamed: Hello | None,
    anchors: Sequence[Certificate],
    now: datetime,
) -> Finding:
    """The verdict. `unnamed`: what is shown without SNI, None when that was not looked at."""
    sent = [read(der) for der in seen.certificates]
    shown = sent[0] if sent else None
    other = read(unnamed.leaf) if unnamed is not None and unnamed.leaf is not None else None
    problem = _problem(asked, failure, seen, sent, other, anchors)
    what = sentence(problem, asked, failure, seen, sent, other, now)
    if shown is not None:
        flaws = besides(problem, asked, shown, now)
        what = " ".join([what, *flaws, facts(asked, shown)])
    else:
        what = f"{what} Asked for {asked.host} at port {asked.port}."
    return Finding(
        problem=problem, what=what, remedy=remedy(problem, asked, shown), certificate=shown
    )


# ---------------------------------------------------------------- which problem


def _problem(
    asked: Asked,
    failure: Failure,
    seen: Hello,
    sent: Sequence[Certificate],
    other: Certificate | None,
    anchors: Sequence[Certificate],
) -> Problem:
    if seen.plain:
        return "plain_http"
    if asked.pin and sent and sent[0].fingerprint != asked.pin:
        return "pin_mismatch"
    code = failure.verify_code
    if code == _NOT_YET:
        return "not_yet_valid"
    if code == _EXPIRED:
        return "expired"
    if code == _SELF_SIGNED:
        return "self_signed"
    if code in _NO_ISSUER:
        return _no_issuer(sent, anchors, bundled=bool(asked.ca_bundle))
    if code in _OTHER_NAME:
        return _other_name(asked, sent, other)
    if code in _UNFIT or re.search(r"KEY_TOO_SMALL|MD_TOO_WEAK", failure.reason):
        return "unsuitable"
    if seen.version in OLD or seen.alert == _PROTOCOL_VERSION:
        return "old_tls"
    perhaps = failure.reset or _PERHAPS_OURS.search(failure.reason) is not None
    if about_our_certificate(failure) or (seen.asks and perhaps):
        return "client_certificate"
    if _OLD_REASONS.search(failure.reason):
        return "old_tls"
    if sent and "HANDSHAKE_FAILURE" in failure.reason:
        return "no_cipher"
    return "reset" if failure.reset or (seen.ended and not sent) else "unclear"


def _no_issuer(
    sent: Sequence[Certificate], anchors: Sequence[Certificate], *, bundled: bool
) -> Problem:
    """Whether a certificate is missing between what the server sent and what we trust.

    Only the server's own certificate, from a company whose root is trusted, or from a public CA
    (which never signs with its root): something in between was not sent. What is sent in the right
    order up to an issuer nobody here knows: that issuer is not trusted.
    """
    if not sent or not sent[0].readable:
        return "unknown_ca"
    leaf, rest = sent[0], sent[1:]
    if leaf.self_issued:
        return "self_signed"
    if rest:
        linked = any(one.subject_key == leaf.issuer_key for one in rest)
        return "unknown_ca" if linked else "missing_intermediate"
    if any(one.subject_key == leaf.issuer_key for one in anchors):
        return "unknown_ca"  # that name is trusted, but with another key
    related = any(one.company & leaf.issuing_company for one in anchors)
    public = not bundled and leaf.issuer_on_the_web and not leaf.is_by_domain
    return "missing_intermediate" if related or public else "unknown_ca"


def _other_name(asked: Asked, sent: Sequence[Certificate], other: Certificate | None) -> Problem:
    """Whether the certificate is this site's with a wrong name, or that of another site.

    A server that shows another one without SNI keeps several sites. Else the machine's own name
    tells: sage.acme.local and SAGE are the same site, www.acme.com is not.
    """
    if not sent or is_address(asked.host) or not sent[0].names:
        return "wrong_host"
    if other is not None and other.fingerprint != sent[0].fingerprint:
        return "other_site"
    machine = asked.host.casefold().partition(".")[0]
    same = any(name.casefold().partition(".")[0] in {machine, "*"} for name in sent[0].names)
    return "wrong_host" if same else "other_site"


def _beneath(problem: BaseException) -> Iterator[BaseException]:
    """An exception and those it came from; aiohttp's, which only wrap another, are left out."""
    todo, seen = [problem], set[int]()
    while todo:
        error = todo.pop(0)
        if id(error) in seen:
            continue
        seen.add(id(error))
        if not isinstance(error, aiohttp.ClientConnectorError):
            yield error
        inner = [getattr(error, name, None) for name in ("certificate_error", "os_error")]
        todo += [one for one in (*inner, error.__cause__) if isinstance(one, BaseException)]
