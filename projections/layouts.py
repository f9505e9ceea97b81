"""The columns of Sage 100 as its file layouts and the agent contract name them.

A column that no agent serves is no error anywhere: the property mapped from it stays empty for
good. So the names in a mapping are compared with what is served, once that is known, and until then
with these. Sites and third parties add columns of their own, which nobody can know beforehand:
their names carry a prefix and an underscore (`UDF_REGION`, `ARMC_234_…`), and these names do not.
Card and bank columns are left out: they never leave Sage 100.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from projections.columns import ENTITY_OF
from projections.mapping import rules

_STAMPS: Final = "DateCreated TimeCreated UserCreatedKey DateUpdated TimeUpdated UserUpdatedKey"
_ADDRESS: Final = "AddressLine1 AddressLine2 AddressLine3 City State ZipCode CountryCode"

LAYOUTS: Final[dict[str, frozenset[str]]] = {
    entity: frozenset(names.split())
    for entity, names in {
        "AR_Customer": f"""
            ARDivisionNo CustomerNo CustomerName {_ADDRESS} TelephoneNo TelephoneExt FaxNo
            EmailAddress URLAddress EBMEnabled EBMConsumerUserID BatchFax ContactCode ShipMethod
            TaxSchedule TaxExemptNo TermsCode SalespersonDivisionNo SalespersonNo Comment SortField
            TemporaryCustomer OpenItemCustomer ResidentialAddress StatementCycle
            PrintDunningMessage CustomerType PriceLevel DateLastActivity DateLastPayment
            DateLastStatement DateLastFinanceChrg DateLastAging DefaultItemCode CreditHold
            PrimaryShipToCode DateEstablished DefaultPaymentType EmailStatements
            NumberOfInvToUseInCalc AvgDaysPaymentInvoice AvgDaysOverDue CustomerDiscountRate
            ServiceChargeRate CreditLimit LastPaymentAmt HighestStmntBalance UnpaidServiceChrg
            BalanceForward CurrentBalance AgingCategory1 AgingCategory2 AgingCategory3
            AgingCategory4 OpenOrderAmt RetentionCurrent RetentionAging1 RetentionAging2
            RetentionAging3 RetentionAging4 {_STAMPS} SalespersonDivisionNo2
            SalespersonDivisionNo3 SalespersonDivisionNo4 SalespersonDivisionNo5 SalespersonNo2
            SalespersonNo3 SalespersonNo4 SalespersonNo5 CustomerStatus InactiveReasonCode
            DefaultCostCode DefaultCostType SplitCommRate2 SplitCommRate3 SplitCommRate4
            SplitCommRate5 UseSageCloudForInvPrinting TelephoneType EInvoicePayments
            EInvoiceContactId PIIEncryptedDate""",
        "AR_CustomerContact": f"""
            ARDivisionNo CustomerNo ContactCode ContactName {_ADDRESS} Salutation ContactTitle
            TelephoneNo1 TelephoneExt1 TelephoneNo2 TelephoneExt2 FaxNo EmailAddress ContactNotes
            EBMUserID {_STAMPS} TelephoneType1 TelephoneType2 PrimaryTelephone1
            PrimaryTelephone2""",
        "AR_TermsCode": f"""
            TermsCode TermsCodeDesc DueDateADayOfTheMonth DiscountDateADayOfTheMo
            DiscountCalculationMethod DaysBeforeDue MinimumDaysAllowedInv DaysBeforeDiscountDue
            MinimumDaysAllowedDisc DiscountRate {_STAMPS}""",
        "AR_CustomerSalesHistory": """
            ARDivisionNo CustomerNo FiscalYear FiscalPeriod DollarsSold CostOfGoodsSold""",
        "AR_Invoice": """
            ARDivisionNo CustomerNo InvoiceNo HeaderSeqNo InvoiceType SoldToDivisionNo
            SoldToCustomerNo InvoiceDate InvoiceDueDate InvoiceDiscountDate PostingDate TermsCode
            CustomerPONo SalesOrderNo AppliedSalesOrderNos SalespersonDivisionNo SalespersonNo
            Comment ModuleCode TaxableAmt NonTaxableAmt FreightAmt SalesTaxAmt DiscountAmt
            DepositAmt RetentionAmt Balance IsOpen DateCreated TimeCreated DateUpdated
            TimeUpdated""",
        "AR_InvoiceDetail": """
            InvoiceNo HeaderSeqNo DetailSeqNo ItemCode ItemType ItemCodeDesc ExtendedDescriptionKey
            SalesAcctKey CostOfGoodsSoldAcctKey InventoryAcctKey UnitOfMeasure TaxClass Discount
            DropShip WarehouseCode PriceLevel ProductLine ExplodedKitItem SkipPrintCompLine
            StandardKitBill AliasItemNo CommentText PromiseDate QuantityShipped QuantityOrdered
            QuantityBackordered UnitPrice UnitCost UnitOfMeasureConvFactor CommissionAmt
            LineDiscountPercent QuantityPerBill ExtensionAmt APDivisionNo VendorNo PurchaseOrderNo
            CommodityCode TaxTypeApplied DebitCreditIndicator TaxAmt TaxRate AppliedSalesOrderNo
            AppliedCustomerPONo""",
        "AR_Payment": """
            ARDivisionNo CustomerNo InvoiceNo InvoiceType TransactionDate SequenceNo
            InvoiceHistoryHeaderSeqNo PaymentReference CheckNo TransactionType PaymentDate
            PaymentType RMANo TransactionAmt DateUpdated TimeUpdated UserUpdatedKey""",
        "AP_Vendor": f"""
            APDivisionNo VendorNo VendorName {_ADDRESS} PrimaryContact TelephoneNo TelephoneExt
            FaxNo EmailAddress URLAddress TermsCode Reference TemporaryVendor VendorStatus
            InactiveReasonCode HoldPayment ElectronicPayment AccountKey Comment SortField
            LastPurchaseDate LastPaymentDate LastCheckNo LastCheckAmt AverageDaysToPay
            AverageDaysOverDue {_STAMPS}""",
    }.items()
}
EVERY: Final = frozenset(name for names in LAYOUTS.values() for name in names)


class Unserved(NamedTuple):
    """A rule's column that nobody serves. `known`: the names there are instead.

    `told`: an agent has said which it serves; else these are the documented ones.
    """

    object: str
    property: str
    column: str
    entity: str
    known: frozenset[str]
    told: bool


def is_a_sites_own(column: str) -> bool:
    """Whether a site or a third party has added it: the documented names have no underscore."""
    return "_" in column


def unserved(mapping: rules.Mapping, served: Mapping[str, Sequence[str]]) -> Iterator[Unserved]:
    """Rules that will never have a value. `served`: entity to columns, as far as it is known."""
    for name, section in mapping.objects().items():
        entity = ENTITY_OF[name]
        told = frozenset(served.get(entity, ()))
        for rule in section.rules:
            column = rule.source
            if "." in column or column in told:
                continue
            if told:
                yield Unserved(name, rule.property, column, entity, told, told=True)
            elif not is_a_sites_own(column) and column not in LAYOUTS[entity]:
                yield Unserved(name, rule.property, column, entity, LAYOUTS[entity], told=False)
