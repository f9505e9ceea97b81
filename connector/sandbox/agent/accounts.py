"""Seeded customers: who they are, and what their ledger has made of them.

An `Account` starts as an identity (key, terms, tax rate) before the ledger is seeded, collects
balances and dates while it is, and is written out as AR_Customer and AR_CustomerContact rows at
the end. Keys come in every kind that Sage 100 allows, and some CustomerNo exist in both divisions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from random import Random

from connector.sandbox.agent import words
from connector.sandbox.agent.layouts import ENTITIES
from connector.sandbox.agent.table import pack
from connector.sandbox.agent.terms import BUCKETS
from connector.sandbox.agent.timeline import Timeline
from connector.sandbox.agent.values import amount

Row = dict[str, str]
TAX_RATES = (0, 550, 600, 825)  # hundredths of a percent


class Account:
    """One customer in the making; amounts in cents, days as days before today (0 = today)."""

    __slots__ = (
        "buckets",
        "division",
        "last_activity",
        "last_payment",
        "last_payment_cents",
        "name",
        "number",
        "overdue_days",
        "paid_count",
        "paid_days",
        "tax_rate",
        "terms",
    )

    def __init__(self, division: str, number: str, name: str, terms: int, tax_rate: int) -> None:
        self.division = division
        self.number = number
        self.name = name
        self.terms = terms  # index into words.TERMS
        self.tax_rate = tax_rate
        self.buckets = [0, 0, 0, 0, 0]
        self.last_activity: int | None = None
        self.last_payment: int | None = None
        self.last_payment_cents = 0
        self.paid_count = 0
        self.paid_days = 0
        self.overdue_days = 0


def identities(rng: Random, count: int) -> list[Account]:
    """`count` customers with distinct keys; the first two are 01-ABF and 02-ABF."""
    taken: set[tuple[str, str]] = set()
    accounts: list[Account] = []
    for at in range(count):
        division = "01" if rng.random() < 0.7 else "02"
        name = _name(rng)
        if at < 2:
            division, number = ("01", "02")[at], "ABF"
            name = ("American Business Futures", "ABF Freight & Logistics")[at]
        elif rng.random() < 0.06:
            twin = accounts[rng.randrange(at)]
            division, number = ("02" if twin.division == "01" else "01"), twin.number
            name = twin.name if rng.random() < 0.5 else name
        else:
            number = _number(rng, at, name)
        if (division, number) in taken:
            number = f"{at:07d}"
        taken.add((division, number))
        terms = rng.choices(range(len(words.TERMS)), (4, 50, 12, 14, 6, 6, 4, 4))[0]
        accounts.append(Account(division, number, name, terms, rng.choice(TAX_RATES)))
    return accounts


def rows(
    rng: Random, accounts: list[Account], timeline: Timeline, domain_suffix: str
) -> tuple[list[bytes], list[bytes]]:
    """The packed rows of AR_Customer and AR_CustomerContact."""
    customer, contact = ENTITIES["AR_Customer"], ENTITIES["AR_CustomerContact"]
    customers, contacts = [], []
    for at, account in enumerate(accounts):
        site = _site(account.name, at, domain_suffix)
        people = list(_people(rng, account, site, timeline))
        row = _customer(rng, account, site, timeline)
        row["ContactCode"] = people[0]["ContactCode"] if people and rng.random() < 0.85 else ""
        customers.append(pack(customer.cells(row)))
        contacts += [pack(contact.cells(person)) for person in people]
    return customers, contacts


def _customer(rng: Random, account: Account, site: str, timeline: Timeline) -> Row:
    roll = rng.random()
    established = rng.randrange(30, 5000)
    row = {
        "ARDivisionNo": account.division,
        "CustomerNo": account.number,
        "CustomerName": account.name,
        **address(rng),
        "TelephoneExt": str(rng.randrange(10, 999)) if rng.random() < 0.2 else "",
        "EmailAddress": _mail(rng, site),
        "URLAddress": _url(rng, site),
        "TaxSchedule": "DEFAULT",
        "TermsCode": words.TERMS[account.terms]["TermsCode"],
        "SalespersonDivisionNo": account.division,
        "SalespersonNo": f"{rng.randrange(1, 9):04d}",
        "Comment": "Ask Joe – C.O.D. only" if roll < 0.02 else "",
        "SortField": account.name[:10].strip().upper(),
        "TemporaryCustomer": "Y" if roll > 0.98 else "N",
        "OpenItemCustomer": "Y",
        "ResidentialAddress": "N" if roll < 0.5 else "",
        "StatementCycle": "M",
        "CustomerType": rng.choice(("", "DIST", "MFG", "RET", "E1")),
        "PriceLevel": rng.choice(("", "1", "2")),
        "CreditHold": "Y" if 0.5 < roll < 0.55 else "N",
        "CustomerStatus": "T" if roll > 0.98 else "I" if roll > 0.94 else "A",
        "InactiveReasonCode": "MOVED" if 0.94 < roll <= 0.98 else "",
        "CreditLimit": rng.choice(("0", "0", "5000", "25000", "100000.5", "1250000")),
        "NumberOfInvToUseInCalc": "20",
        "DateEstablished": timeline.day(established),
        "DateLastAging": timeline.day(timeline.aged),
        **{name: amount(cents) for name, cents in zip(BUCKETS, account.buckets, strict=True)},
        **timeline.stamps(rng, rng.randrange(1, established + 1), blank_share=0.02),
    }
    if account.last_activity is not None:
        row["DateLastActivity"] = timeline.day(account.last_activity)
    if account.last_payment is not None:
        row["DateLastPayment"] = timeline.day(account.last_payment)
        row["LastPaymentAmt"] = amount(account.last_payment_cents)
    if account.paid_count:
        row["AvgDaysPaymentInvoice"] = str(min(999, account.paid_days // account.paid_count))
        row["AvgDaysOverDue"] = str(min(999, account.overdue_days // account.paid_count))
    return row


def _people(rng: Random, account: Account, site: str, timeline: Timeline) -> Iterator[Row]:
    for at in range(rng.choices((0, 1, 2, 3), (15, 50, 25, 10))[0]):
        given, surname = rng.choice(words.GIVEN_NAMES), rng.choice(words.SURNAMES)
        roll = rng.random()
        name = f"{given} {surname}"
        if roll < 0.02:
            name = f"{surname}, {given} M."
        elif roll < 0.06:
            name = f"{surname}, {given}"
        elif roll < 0.08:
            name = f"{given} {surname}, MD"
        elif roll < 0.12:
            name = f"Dr. {given} {surname} Jr."
        elif roll < 0.17:
            name = rng.choice(("Accounts Payable", "Purchasing", "A/P Dept."))
        elif roll < 0.2:
            name = given
        code = f"{given[0]}{surname}"[:9].upper() + (str(at) if at else "")
        mail = f"{plain(given)}.{plain(surname)}{at or ''}@{site}"
        yield {
            "ARDivisionNo": account.division,
            "CustomerNo": account.number,
            "ContactCode": code,
            "ContactName": name,
            **address(rng, telephone="TelephoneNo1"),
            "ContactTitle": rng.choice(words.TITLES),
            "TelephoneNo2": "" if roll < 0.8 else "cell 555-0100",
            "EmailAddress": "" if 0.4 < roll < 0.47 else mail,
            "ContactNotes": "Prefers e-mail.\r\nClosed on Fridays" if roll > 0.97 else "",
            **timeline.stamps(rng, rng.randrange(1, 1500), blank_share=0.03),
        }


def address(rng: Random, telephone: str = "TelephoneNo") -> Row:
    """Street, city, state, postal code, alpha-3 country and a telephone as people type it."""
    city, state, postal, country, area = rng.choice(words.PLACES)
    line, block = rng.randrange(100, 1000), rng.randrange(1000, 10000)
    if country == "USA":
        postal += f"{rng.randrange(100):02d}" + (f"-{block}" if block < 3000 else "")
    elif country == "CAN":
        postal += f"{line % 10}{'ABCEGHJKLM'[block % 10]}{block % 7}"
    else:
        postal += f"{rng.randrange(100):02d}"
    phone = rng.choice(
        (
            f"({area}) {line}-{block}",
            f"{area}-{line}-{block}",
            f"{area}.{line}.{block}",
            f"{area}{line}{block}",
            "",
        )
    )
    return {
        "AddressLine1": f"{line} {rng.choice(words.STREETS)}",
        "AddressLine2": f"P.O. Box {block}" if block > 8800 else "",
        "City": city,
        "State": state,
        "ZipCode": postal,
        "CountryCode": country if block < 9700 else "",
        telephone: phone[:20],
    }


def plain(text: str) -> str:
    """Letters and digits only, without accents, for mail and web addresses."""
    folded = unicodedata.normalize("NFKD", text.replace("Ø", "O").replace("Œ", "Oe"))
    return re.sub("[^a-z0-9]", "", folded.encode("ascii", "ignore").decode().lower())


def _name(rng: Random) -> str:
    roll = rng.random()
    trade, form = rng.choice(words.TRADES), rng.choice(words.FORMS)
    if roll < 0.5:
        name = f"{rng.choice(words.STEMS)} {trade}{form}"
    elif roll < 0.7:
        name = f"{rng.choice(words.SURNAMES)} & {rng.choice(words.SURNAMES)} {trade}"
    elif roll < 0.85:
        name = f"{rng.choice(words.SURNAMES)}'s {trade}"
    elif roll < 0.95:
        name = f"{rng.choice(words.GIVEN_NAMES)} {rng.choice(words.SURNAMES)}"
    else:
        name = f"{rng.choice(words.STEMS)} {trade} <{rng.choice(words.PLACES)[0]}>"
    return name.strip()[:50].strip()


def _number(rng: Random, at: int, name: str) -> str:
    roll = rng.random()
    letters = plain(name).upper() or "X"
    if roll < 0.35:
        return f"{at:07d}"
    if roll < 0.65:
        return f"{letters[:4]}{at}"[:20]
    if roll < 0.8:
        return f"{letters[0]}{at:04d}"
    if roll < 0.86:
        return f"{letters[:3]}-{at:03d}-{at % 10}"
    if roll < 0.9:
        return f"{letters[0]}'{letters[1:5]}.{at}"
    if roll < 0.94:
        return f"{letters[:2]}&{letters[2:4]} {at}"
    if roll < 0.97:
        return f"MASTERNUMC{at:010d}"
    return f"{at:010d}"


def _site(name: str, at: int, suffix: str) -> str:
    return f"{plain(name)[:10] or 'site'}{at}{suffix}.example"


def _mail(rng: Random, site: str) -> str:
    roll = rng.random()
    if roll < 0.12:
        return ""
    if roll < 0.15:
        return rng.choice(("none", f"info@@{site}", f"billing at {site}", "see contact"))
    if roll < 0.18:
        return rng.choice((f"A/P <ap@{site}>", f"mailto:ap@{site}", f"ap@{site}/orders@{site}"))
    if roll < 0.25:
        return f"ap@{site};orders@{site}" + ("; billing@" + site if roll < 0.21 else "")
    return f"{rng.choice(('info', 'ap', 'accounting', 'Office'))}@{site}"


def _url(rng: Random, site: str) -> str:
    return rng.choice(("", "", f"www.{site}", f"http://{site}", f"https://www.{site}/", site))
