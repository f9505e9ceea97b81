"""The entities of the contract: their columns, types and widths, and their keys.

The layouts are data in a small notation, one entity per block, after the file layouts of Sage 100
2023: `S20` text of 20, `F` flag, `D` date, `T` time, `N13.2` number of 13 digits, `M` memo. Key
columns come first in every layout, so a row's key is a prefix of the row. Card and bank columns
(and the memo that holds their encrypted values) are no part of any layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from connector.sandbox.agent.errors import ModelError

ColumnType = Literal["string", "number", "date", "time", "flag"]
MEMO_LENGTH = 32_000

_CREATED = "DateCreated D TimeCreated T UserCreatedKey S10"
_UPDATED = "DateUpdated D TimeUpdated T UserUpdatedKey S10"
_ADDRESS = (
    "AddressLine1 S40 AddressLine2 S40 AddressLine3 S40 City S30 State S2 ZipCode S10 "
    "CountryCode S3"
)

_LAYOUTS: dict[str, tuple[int, str]] = {
    "AR_Customer": (
        2,
        f"""
    ARDivisionNo S2 CustomerNo S20 CustomerName S50 {_ADDRESS}
    TelephoneNo S20 TelephoneExt S6 FaxNo S20 EmailAddress S250 URLAddress S50 EBMEnabled F
    EBMConsumerUserID S15 BatchFax F ContactCode S10 ShipMethod S15 TaxSchedule S9 TaxExemptNo S15
    TermsCode S2 SalespersonDivisionNo S2 SalespersonNo S4 Comment S30 SortField S10
    TemporaryCustomer F OpenItemCustomer F ResidentialAddress F StatementCycle S1
    PrintDunningMessage F CustomerType S4 PriceLevel S1 DateLastActivity D DateLastPayment D
    DateLastStatement D DateLastFinanceChrg D DateLastAging D DefaultItemCode S30 CreditHold F
    PrimaryShipToCode S4 DateEstablished D DefaultPaymentType S5 EmailStatements F
    NumberOfInvToUseInCalc N2.0 AvgDaysPaymentInvoice N3.0 AvgDaysOverDue N3.0
    CustomerDiscountRate N12.3 ServiceChargeRate N12.3 CreditLimit N13.2 LastPaymentAmt N13.2
    HighestStmntBalance N13.2 UnpaidServiceChrg N13.2 BalanceForward N13.2 CurrentBalance N13.2
    AgingCategory1 N13.2 AgingCategory2 N13.2 AgingCategory3 N13.2 AgingCategory4 N13.2
    OpenOrderAmt N13.2 RetentionCurrent N13.2 RetentionAging1 N13.2 RetentionAging2 N13.2
    RetentionAging3 N13.2 RetentionAging4 N13.2 {_CREATED} {_UPDATED}
    SalespersonDivisionNo2 S2 SalespersonDivisionNo3 S2 SalespersonDivisionNo4 S2
    SalespersonDivisionNo5 S2 SalespersonNo2 S4 SalespersonNo3 S4 SalespersonNo4 S4
    SalespersonNo5 S4 CustomerStatus S1 InactiveReasonCode S5 DefaultCostCode S9
    DefaultCostType S1 SplitCommRate2 N8.3 SplitCommRate3 N8.3 SplitCommRate4 N8.3
    SplitCommRate5 N8.3 UseSageCloudForInvPrinting F TelephoneType S1 EInvoicePayments F
    EInvoiceContactId S24 PIIEncryptedDate D""",
    ),
    "AR_CustomerContact": (
        3,
        f"""
    ARDivisionNo S2 CustomerNo S20 ContactCode S10 ContactName S50 {_ADDRESS}
    Salutation S10 ContactTitle S15 TelephoneNo1 S20 TelephoneExt1 S6 TelephoneNo2 S20
    TelephoneExt2 S6 FaxNo S20 EmailAddress S50 ContactNotes M EBMUserID S15 {_CREATED} {_UPDATED}
    TelephoneType1 S1 TelephoneType2 S1 PrimaryTelephone1 F PrimaryTelephone2 F""",
    ),
    "AR_TermsCode": (
        1,
        f"""
    TermsCode S2 TermsCodeDesc S30 DueDateADayOfTheMonth F DiscountDateADayOfTheMo F
    DiscountCalculationMethod S1 DaysBeforeDue N3.0 MinimumDaysAllowedInv N3.0
    DaysBeforeDiscountDue N3.0 MinimumDaysAllowedDisc N3.0 DiscountRate N8.3
    {_CREATED} {_UPDATED}""",
    ),
    "AR_CustomerSalesHistory": (
        4,
        """
    ARDivisionNo S2 CustomerNo S20 FiscalYear S4 FiscalPeriod S2 DollarsSold N14.2
    CostOfGoodsSold N14.2""",
    ),
    "AR_Invoice": (
        5,
        """
    ARDivisionNo S2 CustomerNo S20 InvoiceNo S7 HeaderSeqNo S6 InvoiceType S2 SoldToDivisionNo S2
    SoldToCustomerNo S20 InvoiceDate D InvoiceDueDate D InvoiceDiscountDate D PostingDate D
    TermsCode S2 CustomerPONo S30 SalesOrderNo S7 AppliedSalesOrderNos S250
    SalespersonDivisionNo S2 SalespersonNo S4 Comment S30 ModuleCode S3 TaxableAmt N13.2
    NonTaxableAmt N13.2 FreightAmt N12.2 SalesTaxAmt N12.2 DiscountAmt N13.2 DepositAmt N12.2
    RetentionAmt N13.2 Balance N13.2 IsOpen F DateCreated D TimeCreated T DateUpdated D
    TimeUpdated T""",
    ),
    "AR_InvoiceDetail": (
        3,
        """
    InvoiceNo S7 HeaderSeqNo S6 DetailSeqNo S6 ItemCode S30 ItemType S1 ItemCodeDesc S30
    ExtendedDescriptionKey S10 SalesAcctKey S9 CostOfGoodsSoldAcctKey S9 InventoryAcctKey S9
    UnitOfMeasure S4 TaxClass S2 Discount F DropShip F WarehouseCode S3 PriceLevel S1
    ProductLine S4 ExplodedKitItem F SkipPrintCompLine F StandardKitBill F AliasItemNo S30
    CommentText M PromiseDate D QuantityShipped N15.6 QuantityOrdered N15.6
    QuantityBackordered N15.6 UnitPrice N15.6 UnitCost N15.6 UnitOfMeasureConvFactor N11.4
    CommissionAmt N12.2 LineDiscountPercent N8.3 QuantityPerBill N15.6 ExtensionAmt N11.2
    APDivisionNo S2 VendorNo S7 PurchaseOrderNo S7 CommodityCode S12 TaxTypeApplied S4
    DebitCreditIndicator S1 TaxAmt N11.2 TaxRate N10.6 AppliedSalesOrderNo S7
    AppliedCustomerPONo S30""",
    ),
    "AR_Payment": (
        6,
        f"""
    ARDivisionNo S2 CustomerNo S20 InvoiceNo S7 InvoiceType S2 TransactionDate D SequenceNo S6
    InvoiceHistoryHeaderSeqNo S6 PaymentReference S14 CheckNo S10 TransactionType S1 PaymentDate D
    PaymentType S5 RMANo S7 TransactionAmt N12.2 {_UPDATED}""",
    ),
    "AP_Vendor": (
        2,
        f"""
    APDivisionNo S2 VendorNo S7 VendorName S50 {_ADDRESS} PrimaryContact S10 TelephoneNo S20
    TelephoneExt S6 FaxNo S20 EmailAddress S250 URLAddress S50 TermsCode S2 Reference S15
    TemporaryVendor F VendorStatus S1 InactiveReasonCode S5 HoldPayment F ElectronicPayment F
    AccountKey S9 Comment S30 SortField S10 LastPurchaseDate D LastPaymentDate D LastCheckNo S10
    LastCheckAmt N13.2 AverageDaysToPay N3.0 AverageDaysOverDue N3.0 {_CREATED} {_UPDATED}""",
    ),
}


class Column(msgspec.Struct, frozen=True):
    """One column: its name, the contract's type, and its width (text) or digits (number)."""

    name: str
    type: ColumnType
    length: int


class Entity(msgspec.Struct, frozen=True):
    """One entity: `key_widths` pads the key columns, which are the first columns of the layout."""

    name: str
    columns: tuple[Column, ...]
    key_widths: tuple[int, ...]
    index: dict[str, int]
    blank: tuple[str, ...]  # a row of a record nobody filled in: numbers are 0, the rest is blank
    stamps: tuple[int, ...]  # where DateCreated and DateUpdated stand; empty without stamps

    @property
    def names(self) -> tuple[str, ...]:
        """Every column's name, in layout order."""
        return tuple(self.index)

    @property
    def key(self) -> tuple[str, ...]:
        """The key columns' names, in key order."""
        return self.names[: len(self.key_widths)]

    def cells(self, fields: Mapping[str, str]) -> list[str]:
        """A row with these fields set and the others as Sage 100 leaves them untouched."""
        row = list(self.blank)
        index = self.index
        try:
            for name, text in fields.items():
                row[index[name]] = text
        except KeyError as error:
            raise ModelError(f"{self.name} has no column {error.args[0]!r}") from None
        return row

    def padded(self, key: Sequence[str]) -> bytes:
        """The key as the file holds it: each part padded with blanks, in Windows-1252.

        Raises ModelError for a key with too many parts, too wide a part, or foreign characters.
        """
        if len(key) != len(self.key_widths):
            raise ModelError(
                f"the key of {self.name} is {' '.join(self.key)}: {len(self.key_widths)} parts, "
                f"not {len(key)}"
            )
        try:
            parts = [part.rstrip(" ").encode("cp1252") for part in key]
        except UnicodeEncodeError:
            raise ModelError(f"{key!r} holds characters that are not in Windows-1252") from None
        for part, width, name in zip(parts, self.key_widths, self.key, strict=True):
            if len(part) > width:
                raise ModelError(f"{name} {part!r} is wider than the {width} of {self.name}")
        return b"".join(map(bytes.ljust, parts, self.key_widths))


def revised(
    entity: Entity,
    *,
    without: frozenset[str] = frozenset(),
    widths: Mapping[str, int] | None = None,
    besides: str = "",
) -> Entity:
    """The entity as another version or site has it: columns gone, others wide, some added.

    `besides` is in the notation of the layouts. The number of key columns stays as it is.
    """
    kept = tuple(
        msgspec.structs.replace(column, length=(widths or {}).get(column.name, column.length))
        for column in entity.columns
        if column.name not in without
    )
    return _entity(entity.name, len(entity.key_widths), kept + _columns(besides))


def _columns(notation: str) -> tuple[Column, ...]:
    words = notation.split()
    return tuple(_column(*pair) for pair in zip(words[::2], words[1::2], strict=True))


def _entity(name: str, key_size: int, columns: tuple[Column, ...]) -> Entity:
    index = {column.name: at for at, column in enumerate(columns)}
    return Entity(
        name=name,
        columns=columns,
        key_widths=tuple(column.length for column in columns[:key_size]),
        index=index,
        stamps=tuple(index[n] for n in ("DateCreated", "DateUpdated") if n in index),
        blank=tuple("0" if column.type == "number" else "" for column in columns),
    )


def _column(name: str, code: str) -> Column:
    kinds: dict[str, ColumnType] = {"S": "string", "N": "number", "D": "date", "T": "time"}
    if code == "M":
        return Column(name, "string", MEMO_LENGTH)
    if code == "F":
        return Column(name, "flag", 1)
    width = code[1:].partition(".")[0]
    return Column(name, kinds[code[0]], int(width) if width else 8)


def _all() -> Iterable[Entity]:
    for name, (key_size, notation) in _LAYOUTS.items():
        yield _entity(name, key_size, _columns(notation))


ENTITIES: dict[str, Entity] = {entity.name: entity for entity in _all()}
