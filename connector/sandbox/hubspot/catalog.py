"""The native property definitions a new portal has, for the object types a Sage 100 mirror needs.

A realistic subset, with the types, field types, options and read-only flags that decide what a
client may write. One line per property: name, label, type/field type, options, flags.
Flags: `r` the value is read only, `c` calculated (read only too), `x` options kept elsewhere.
"""

from __future__ import annotations

from .definitions import Definitions
from .industries import INDUSTRIES
from .options import HubSpotOptions
from .property import Group, ModificationMetadata, Option, Property

LIFECYCLE_STAGES = (
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
)
"""In the order in which a stage may move forward."""

LEAD_STATUSES = (
    "NEW",
    "OPEN",
    "IN_PROGRESS",
    "OPEN_DEAL",
    "UNQUALIFIED",
    "ATTEMPTED_TO_CONTACT",
    "CONNECTED",
    "BAD_TIMING",
)

DEAL_STAGES = (
    "appointmentscheduled",
    "qualifiedtobuy",
    "presentationscheduled",
    "decisionmakerboughtin",
    "contractsent",
    "closedwon",
    "closedlost",
)

CHOICES: dict[str, tuple[str, ...]] = {
    "bool": ("true", "false"),
    "industry": INDUSTRIES,
    "lifecycle": LIFECYCLE_STAGES,
    "lead_status": LEAD_STATUSES,
    "company_type": ("PROSPECT", "PARTNER", "RESELLER", "VENDOR", "OTHER"),
    "deal_stage": DEAL_STAGES,
    "pipeline": ("default",),
    "deal_type": ("newbusiness", "existingbusiness"),
    "invoice_status": ("draft", "open", "paid", "voided"),
    "collection": ("manual", "none"),
    "language": ("de", "en", "es", "fr", "it", "nl", "pt"),
}

_RECORD = """
hs_object_id|Record ID|number/number||r
hs_object_source|Record source|string/text||r
hs_object_source_id|Record source ID|string/text||r
hs_object_source_label|Record source|string/text||r
hs_merged_object_ids|Merged record IDs|enumeration/checkbox||rx
hs_created_by_user_id|Created by user ID|number/number||r
hs_updated_by_user_id|Updated by user ID|number/number||r
createdate|Create date|datetime/date||r
hubspot_owner_id|Owner|enumeration/select||x
hs_pipeline|Pipeline|string/text||r
"""

_PLACE = """
phone|Phone number|string/phonenumber||
address|Street address|string/text||
city|City|string/text||
state|State/Region|string/text||
zip|Postal code|string/text||
country|Country/Region|string/text||
website|Website URL|string/text||
lifecyclestage|Lifecycle stage|enumeration/radio|lifecycle|
hs_lead_status|Lead status|enumeration/radio|lead_status|
"""

_OWN = _RECORD.replace("hs_pipeline|Pipeline|string/text||r\n", "")

_CUSTOM = _OWN + "hs_lastmodifieddate|Last modified date|datetime/date||r\n"

_TABLES: dict[str, str] = {
    "companies": _RECORD
    + _PLACE
    + """
name|Company name|string/text||
domain|Company domain name|string/text||
hs_additional_domains|Additional domains|enumeration/checkbox||x
address2|Street address 2|string/text||
industry|Industry|enumeration/select|industry|
type|Type|enumeration/radio|company_type|
description|Description|string/textarea||
about_us|About us|string/textarea||
annualrevenue|Annual revenue|number/number||
numberofemployees|Number of employees|number/number||
founded_year|Year founded|string/text||
is_public|Is public|bool/booleancheckbox|bool|
timezone|Time zone|string/text||
linkedin_company_page|LinkedIn company page|string/text||
facebook_company_page|Facebook company page|string/text||
twitterhandle|Twitter handle|string/text||
closedate|Close date|datetime/date||
days_to_close|Days to close|number/number||c
num_associated_contacts|Number of associated contacts|number/number||c
num_associated_deals|Number of associated deals|number/number||c
hs_num_open_deals|Number of open deals|number/number||c
recent_deal_amount|Recent deal amount|number/number||c
total_revenue|Total revenue|number/number||c
hs_lastmodifieddate|Last modified date|datetime/date||r
""",
    "contacts": _RECORD
    + _PLACE
    + """
email|Email|string/text||
hs_additional_emails|Additional email addresses|enumeration/checkbox||x
hs_email_domain|Email domain|string/text||r
firstname|First name|string/text||
lastname|Last name|string/text||
salutation|Salutation|string/text||
jobtitle|Job title|string/text||
company|Company name|string/text||
mobilephone|Mobile phone number|string/phonenumber||
fax|Fax number|string/text||
industry|Industry|string/text||
annualrevenue|Annual revenue|string/text||
message|Message|string/textarea||
hs_language|Preferred language|enumeration/select|language|
associatedcompanyid|Primary associated company ID|number/number||r
hs_all_contact_vids|All record IDs of the contact|enumeration/checkbox||rx
hs_is_contact|Is a contact|bool/booleancheckbox|bool|r
hs_is_unworked|Contact unworked|bool/booleancheckbox|bool|r
hs_lifecyclestage_lead_date|Became a lead date|datetime/date||r
hs_marketable_status|Marketing contact status|string/text||r
num_associated_deals|Number of associated deals|number/number||c
lastmodifieddate|Last modified date|datetime/date||r
""",
    "deals": _OWN
    + """
dealname|Deal name|string/text||
dealstage|Deal stage|enumeration/radio|deal_stage|
pipeline|Pipeline|enumeration/select|pipeline|
dealtype|Deal type|enumeration/radio|deal_type|
amount|Amount|number/number||
amount_in_home_currency|Amount in company currency|number/number||c
closedate|Close date|datetime/date||
deal_currency_code|Currency|enumeration/select|currency|
description|Deal description|string/textarea||
hs_is_closed|Is deal closed|bool/calculation_equation|bool|c
hs_is_closed_won|Is closed won|bool/calculation_equation|bool|c
num_associated_contacts|Number of associated contacts|number/number||c
hs_lastmodifieddate|Last modified date|datetime/date||r
""",
    "invoices": _OWN
    + """
hs_currency|Currency|enumeration/select|currency|
hs_invoice_billable|Billable|bool/booleancheckbox|bool|
hs_invoice_status|Invoice status|enumeration/select|invoice_status|
hs_invoice_date|Invoice date|datetime/date||
hs_due_date|Due date|datetime/date||
hs_payment_date|Payment date|datetime/date||
hs_external_createdate|External create date|datetime/date||
hs_number|Number|string/text||
hs_title|Title|string/text||
hs_purchase_order_number|Purchase order number|string/text||
hs_comments|Comments|string/textarea||
hs_tax_id|Tax ID|enumeration/select||x
hs_amount_billed|Amount billed|number/number||
hs_amount_paid|Amount paid|number/number||r
hs_balance_due|Balance due|number/calculation_equation||c
hs_subtotal|Subtotal|number/number||r
hs_days_overdue|Days overdue|number/calculation_equation||c
hs_amount_billed_in_company_currency|Amount billed in company currency|number/number||c
hs_invoice_link|Invoice link|string/text||r
hs_pdf_download_link|PDF download link|string/text||r
hs_invoice_latest_contact_email|Latest contact email|string/text||r
hs_invoice_latest_company_name|Latest company name|string/text||r
hs_external_invoice_status|External invoice status|string/text||r
hs_external_recipient|External recipient|string/text||r
hs_invoice_source|Invoice source|string/text||r
hs_recipient_shipping_address|Recipient address|string/text||
hs_recipient_shipping_address2|Recipient address 2|string/text||
hs_recipient_shipping_city|Recipient city|string/text||
hs_recipient_shipping_state|Recipient state|string/text||
hs_recipient_shipping_zip|Recipient postal code|string/text||
hs_recipient_shipping_country|Recipient country|string/text||
hs_recipient_company_address|Company address|string/text||
hs_recipient_company_address2|Company address 2|string/text||
hs_recipient_company_city|Company city|string/text||
hs_recipient_company_state|Company state|string/text||
hs_recipient_company_zip|Company postal code|string/text||
hs_language|Language|enumeration/select|language|
hs_locale|Locale|string/text||
hs_invoice_payment_collection_method|Payment collection method|enumeration/select|collection|
hs_allow_partial_payments|Allow partial payments|bool/booleancheckbox|bool|
hs_lastmodifieddate|Last modified date|datetime/date||r
""",
    "line_items": _OWN
    + """
name|Name|string/text||
description|Description|string/textarea||
hs_sku|SKU|string/text||
hs_product_id|Product ID|number/number||
price|Unit price|number/number||
quantity|Quantity|number/number||
discount|Unit discount|number/number||
hs_discount_percentage|Discount percentage|number/number||
hs_tax_rate_group_id|Tax rate|enumeration/select||x
hs_line_item_currency_code|Currency|enumeration/select|currency|
hs_position_on_quote|Position|number/number||
amount|Net price|number/calculation_equation||c
hs_pre_discount_amount|Price before discount|number/calculation_equation||c
hs_lastmodifieddate|Last modified date|datetime/date||r
""",
}

_GROUPS: dict[str, tuple[str, str]] = {
    "companies": ("companyinformation", "Company information"),
    "contacts": ("contactinformation", "Contact information"),
    "deals": ("dealinformation", "Deal information"),
    "invoices": ("invoiceinformation", "Invoice information"),
    "line_items": ("lineiteminformation", "Line item information"),
}


def definitions(object_type: str, options: HubSpotOptions) -> Definitions:
    """The definitions of a new portal's `object_type`; of a custom one, those every type has."""
    group_name, label = _GROUPS.get(
        object_type, (f"{object_type}_information", f"{object_type.capitalize()} information")
    )
    own = {
        "currency": (options.company_currency, *options.additional_currencies),
        "pipeline": ("default", *options.pipelines),
        "deal_stage": tuple(dict.fromkeys(sum(options.pipelines.values(), DEAL_STAGES))),
    }
    table = _TABLES.get(object_type, _CUSTOM)
    lines = (_property(line, group_name, own) for line in table.split("\n") if line)
    return Definitions(
        {one.name: one for one in lines}, {group_name: Group(name=group_name, label=label)}
    )


def _property(line: str, group_name: str, own: dict[str, tuple[str, ...]]) -> Property:
    name, label, types, choice, flags = line.split("|")
    kind, field_type = types.split("/")
    values = own.get(choice) or CHOICES.get(choice, ())
    return Property(
        name=name,
        label=label,
        type=kind,
        field_type=field_type,
        group_name=group_name,
        description="",
        options=tuple(
            Option(label=_label(value), value=value, displayOrder=order)
            for order, value in enumerate(values)
        ),
        display_order=-1,
        calculated="c" in flags,
        external_options="x" in flags,
        has_unique_value=False,
        hidden=False,
        hubspot_defined=True,
        form_field=False,
        data_sensitivity="non_sensitive",
        modification_metadata=ModificationMetadata(
            archivable=False,
            read_only_definition=True,
            read_only_options=choice not in ("industry", "lifecycle", "lead_status"),
            read_only_value="r" in flags or "c" in flags,
        ),
        archived=False,
    )


def _label(value: str) -> str:
    if value in ("true", "false"):
        return "Yes" if value == "true" else "No"
    return value if value.isupper() and len(value) == 3 else value.replace("_", " ").capitalize()
