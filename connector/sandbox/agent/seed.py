"""Builds the simulated Sage 100 from one number: same seed, sizes and moment, same bytes.

The moment matters because stamps and ages are told from it: a day later every date has moved by a
day, and the time of day shows only in today's stamps.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from connector.sandbox.agent import accounts as customers
from connector.sandbox.agent import words
from connector.sandbox.agent.clock import Clock
from connector.sandbox.agent.irregularities import scatter
from connector.sandbox.agent.layouts import ENTITIES, revised
from connector.sandbox.agent.ledger import FIRST_NUMBER, Ledger
from connector.sandbox.agent.model import Company, Model
from connector.sandbox.agent.options import AgentOptions, CompanyOptions
from connector.sandbox.agent.profiles import EXPANDED, NUMBERED, VERSIONS, layouts, sample_cells
from connector.sandbox.agent.renumbering import expand_invoice_numbers
from connector.sandbox.agent.table import pack
from connector.sandbox.agent.timeline import Timeline, terms_row
from connector.sandbox.agent.values import amount


def build_model(options: AgentOptions, clock: Clock) -> Model:
    """Every company of the options, filled. Takes seconds for large sizes: call it in a thread."""
    companies = []
    for at, settings in enumerate(options.companies):
        # Mail addresses stay unique across companies by this suffix of the domain.
        suffix = "" if at == 0 else f"-{settings.code.lower()}"
        companies.append(_company(options, settings, clock, suffix))
    return Model(companies)


def _company(options: AgentOptions, settings: CompanyOptions, clock: Clock, suffix: str) -> Company:
    company = Company(settings, clock)  # seeded as it is today, then made older, newer or messy
    timeline = Timeline(settings, clock())
    rng = Random(f"{options.seed}/{settings.code}")
    accounts = customers.identities(rng, options.customers)
    files = Ledger(rng, accounts, timeline, details=options.details).seed(options.invoices)
    company.table("AR_Invoice").load(files.invoices)
    company.table("AR_Payment").load(files.payments)
    company.table("AR_InvoiceDetail").load(files.details)
    company.table("AR_CustomerSalesHistory").load(files.sales)
    customer_rows, contact_rows = customers.rows(rng, accounts, timeline, suffix)
    company.table("AR_Customer").load(customer_rows)
    company.table("AR_CustomerContact").load(contact_rows)
    company.table("AR_TermsCode").load(list(_terms(rng, timeline)))
    company.table("AP_Vendor").load(list(_vendors(rng, timeline, options.vendors, suffix)))
    company.next_invoice_no = FIRST_NUMBER + options.invoices
    _profile(company, options)
    return company


def _profile(company: Company, options: AgentOptions) -> None:
    version = VERSIONS[options.profile]
    if version.irregular:
        scatter(company, Random(f"{options.seed}/{company.code}/irregular"))
    if version.expanded:
        expand_invoice_numbers(company)
    for name, entity in layouts(options.profile).items():
        table = company.table(name)
        if version.expanded and name in NUMBERED:
            entity = revised(entity, widths={"InvoiceNo": EXPANDED})
        if entity == table.entity:
            continue
        table.reshape(entity)
        if sample_cells(entity, 0):
            rows = enumerate(company.rows(name))
            table.load([pack(entity.cells(row | sample_cells(entity, at))) for at, row in rows])


def _terms(rng: Random, timeline: Timeline) -> Iterator[bytes]:
    layout = ENTITIES["AR_TermsCode"]
    for fields in words.TERMS:
        row = terms_row(fields) | timeline.stamps(rng, 3000, blank_share=0.1)
        yield pack(layout.cells(row))


def _vendors(rng: Random, timeline: Timeline, count: int, suffix: str) -> Iterator[bytes]:
    layout = ENTITIES["AP_Vendor"]
    for at in range(count):
        name = f"{rng.choice(words.SURNAMES)} {rng.choice(words.TRADES)}"
        letters = customers.plain(name).upper()
        number = f"{at:07d}" if rng.random() < 0.4 or at > 9999 else f"{letters[:3]}{at:04d}"
        site = f"{letters[:10].lower()}v{at}{suffix}.example"
        roll = rng.random()
        row = {
            "APDivisionNo": "01" if roll < 0.8 else "02",
            "VendorNo": number[:7],
            "VendorName": name[:50],
            **customers.address(rng),
            "EmailAddress": "" if roll < 0.2 else f"remit@{site}",
            "URLAddress": "" if roll > 0.6 else f"www.{site}",
            "TermsCode": rng.choice(words.TERMS)["TermsCode"],
            "TemporaryVendor": "N",
            "VendorStatus": "I" if roll > 0.95 else "A",
            "HoldPayment": "Y" if 0.3 < roll < 0.33 else "N",
            "SortField": letters[:10],
            "LastPaymentDate": timeline.day(rng.randrange(400)),
            "LastCheckNo": f"{rng.randrange(999_999):06d}",
            "LastCheckAmt": amount(rng.randrange(1, 5_000_000)),
            "AverageDaysToPay": str(rng.randrange(10, 60)),
            **timeline.stamps(rng, rng.randrange(1, 3000), blank_share=0.03),
        }
        yield pack(layout.cells(row))
