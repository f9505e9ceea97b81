"""Which columns are asked for, and which entities cannot be read."""

from __future__ import annotations

import pytest

from connector.sage100.contract import Column, Entity
from connector.sage100.errors import AgentMisfit, Call
from connector.sage100.selection import Selection, denied, select

CALL = Call("http://127.0.0.1:1/x", "GetInfo")


@pytest.mark.parametrize(
    "column",
    [
        "CreditCardGUID",
        "DefaultCreditCardPmtType",
        "CardholderName",
        "CardType",
        "ExpirationDateYear",
        "Last4UnencryptedCreditCardNos",
        "Last4BankAccountNos",
        "BankName",
        "BankAccountType",
        "EncryptedVals",
        "WebPassword",
        "UDF_CREDITCARD_NO",
        "TaxpayerIDSocialSecurityNo",
    ],
)
def test_what_must_not_leave_sage_is_not_asked_for(column: str) -> None:
    """Card, bank, tax and password columns stay where they are."""
    assert denied(column)


@pytest.mark.parametrize(
    "column",
    [
        "CustomerName",
        "UDF_ROUTE",
        "PIIEncryptedDate",
        "CreditLimit",
        "CreditHold",
        "PaymentType",
        "DefaultPaymentType",
        "CheckNo",
        "EmailAddress",
        "UDF_BANKRUPT",
        "ElectronicPayment",
    ],
)
def test_what_is_wanted_is_asked_for(column: str) -> None:
    """Ordinary columns and a site's own ones are read."""
    assert not denied(column)


def entity(name: str, key: str, columns: str) -> Entity:
    """An entity as GetInfo would describe it."""
    return Entity(name, tuple(key.split()), tuple(Column(one, "string") for one in columns.split()))


def test_a_selection_is_all_columns_but_the_denied_ones() -> None:
    """What the agent adds is read without configuration."""
    served = entity("AR_TermsCode", "TermsCode", "TermsCode DateUpdated TimeUpdated UDF_X BankName")
    assert select(served, CALL) == Selection(
        "AR_TermsCode", ("TermsCode",), ("TermsCode", "DateUpdated", "TimeUpdated", "UDF_X")
    )


def test_the_order_of_the_agents_key_does_not_matter() -> None:
    """Keys are built in the order of the contract, whatever order GetInfo lists."""
    served = entity(
        "AR_Customer",
        "CustomerNo ARDivisionNo",
        "CustomerNo ARDivisionNo DateUpdated TimeUpdated",
    )
    assert select(served, CALL).key == ("ARDivisionNo", "CustomerNo")


@pytest.mark.parametrize(
    ("name", "key", "columns", "missing"),
    [
        ("AR_TermsCode", "TermsCode", "TermsCode", "DateUpdated, TimeUpdated"),
        ("AR_Customer", "CustomerNo", "CustomerNo DateUpdated TimeUpdated", "ARDivisionNo"),
        (
            "AR_TermsCode",
            "TermsCode Company",
            "TermsCode Company DateUpdated TimeUpdated",
            "TermsCode Company, not TermsCode",
        ),
    ],
)
def test_an_entity_that_cannot_be_told_apart_or_followed_is_refused(
    name: str, key: str, columns: str, missing: str
) -> None:
    """Missing key or stamp columns, or another key, are named with the remedy."""
    with pytest.raises(AgentMisfit, match=missing) as caught:
        select(entity(name, key, columns), CALL)
    assert caught.value.remedy


def test_sales_history_needs_no_stamps() -> None:
    """Entities that have no stamps in Sage 100 are read without them."""
    columns = "ARDivisionNo CustomerNo FiscalYear FiscalPeriod DollarsSold"
    served = entity("AR_CustomerSalesHistory", columns.rpartition(" ")[0], columns)
    assert len(select(served, CALL).columns) == 5
