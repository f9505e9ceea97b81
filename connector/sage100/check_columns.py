"""Whether an entity has what is read of it: its columns as served, and its first rows.

What is needed is told by `projections.columns`: a column that is not served is an empty cell to
everybody behind the client, and sums are made of it as if it were 0. In the rows it is looked for
what an agent does wrongly without knowing (`sample`): a column that Sage 100 itself never leaves
empty and that is blank in all of them is a mistake; of others it is said, for a person to judge.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from connector.check import CheckLine, failed, untried
from connector.sage100.agent import Agent
from connector.sage100.contract import AgentInfo, Entity
from connector.sage100.errors import AgentError, LogonRefused
from connector.sage100.sample import Sample, sample
from connector.sage100.selection import Selection, denied, select
from projections.columns import Use, Uses

COLUMNS: Final = "columns"
ROWS: Final = "rows"

_SHOWN: Final = 4  # properties of an object
# What Sage 100 asks for at every entry, or writes itself.
_NEVER_BLANK: Final[dict[str, tuple[str, ...]]] = {
    "AR_TermsCode": ("TermsCodeDesc",),
    "AR_Customer": ("CustomerName",),
    "AR_CustomerContact": ("ContactName",),
    "AR_CustomerSalesHistory": ("DollarsSold",),
    "AR_Invoice": ("InvoiceDate", "Balance", "IsOpen"),
    "AR_Payment": ("TransactionType", "TransactionAmt"),
    "AP_Vendor": ("VendorName",),
    "AR_InvoiceDetail": ("ItemCode", "ExtensionAmt"),
}
# No document is without any amount, whatever it is made of.
_NOT_ALL_BLANK: Final[dict[str, tuple[str, ...]]] = {"AR_Invoice": ("TaxableAmt", "NonTaxableAmt")}
_MAP_IT: Final = "Map the agent's own name in [sage100.columns], or update the agent."


async def check_entity(
    subject: str,
    agent: Agent,
    info: AgentInfo,
    name: str,
    companies: Sequence[str],
    uses: Uses,
) -> list[CheckLine]:
    """The two lines of one entity, read of the first of these `companies` that has enough rows.

    Raises LogonRefused: then nothing more may be asked.
    """
    columns, rows = f"{subject} {name} {COLUMNS}", f"{subject} {name} {ROWS}"
    read_for = uses.get(name, {})
    entity = info.entity(name)
    if entity is None:
        effect = _effect([use for read in read_for.values() for use in read])
        lost = f"not served by this agent{f' ({effect})' if effect else ''}"
        return [
            CheckLine(columns, False, lost, "Update the agent, if the site has it."),
            untried(rows, "it is not served"),
        ]
    try:
        selection = select(entity, agent.call("GetInfo"))
    except AgentError as problem:
        return [failed(columns, problem), untried(rows, "columns are missing that all else needs")]
    line = _columns(columns, entity, selection, read_for)
    if not companies:
        return [line, untried(rows, "no company can be read")]
    try:
        seen = await sample(agent, companies, entity, selection)
    except LogonRefused:
        raise
    except AgentError as problem:
        in_use = untried(rows, f"Sage 100 is in use by others: {problem.what}")
        return [line, in_use if problem.in_use else failed(rows, problem)]
    return [line, _rows(rows, name, seen, read_for)]


# ---------------------------------------------------------------- columns


def _columns(
    subject: str, entity: Entity, selection: Selection, read_for: Mapping[str, Sequence[Use]]
) -> CheckLine:
    detail = f"{len(selection.columns)} of {len(entity.columns)} read"
    wanted = dict.fromkeys((*_NEVER_BLANK.get(entity.name, ()), *read_for))
    missing = [column for column in wanted if column not in selection.columns]
    if not missing:
        return CheckLine(subject, True, f"{detail}, all that is needed among them")
    withheld = [column for column in missing if denied(column)]
    missing = [column for column in missing if column not in withheld]
    parts, remedies = [detail], []
    if missing:
        parts.append(f"it has no column {_lost(missing, read_for)}")
        remedies.append(_MAP_IT + _likely(missing, entity, wanted))
    if withheld:
        parts.append(f"never read: {_lost(withheld, read_for)}")
        remedies.append("Its name says card, bank, tax or password: take it out of the mapping.")
    names = tuple(
        dict.fromkeys(
            use.shown for column in (*missing, *withheld) for use in read_for.get(column, ())
        )
    )
    return CheckLine(subject, False, "; ".join(parts), " ".join(remedies), names=names)


def _lost(missing: Iterable[str], read_for: Mapping[str, Sequence[Use]]) -> str:
    """Missing columns, those of one effect together, each with what HubSpot would show for them."""
    by_effect: dict[str, list[str]] = defaultdict(list)
    for column in missing:
        by_effect[_effect(read_for.get(column, ()))].append(column)
    return "; ".join(
        f"{', '.join(columns)}{f' ({effect})' if effect else ''}"
        for effect, columns in by_effect.items()
    )


def _effect(uses: Iterable[Use]) -> str:
    """What HubSpot would show wrongly, and what it would never be told."""
    wrong = dict.fromkeys(use.shown for use in uses if use.fact)
    # What is wrong is worse than what is left alone, and some properties are made of both.
    left = dict.fromkeys(use.shown for use in uses if not use.fact and use.shown not in wrong)
    parts = [f"wrong or empty in HubSpot: {_some(wrong)}"] if wrong else []
    parts += [f"never filled in HubSpot: {_some(left)}"] if left else []
    return "; ".join(parts)


def _some(properties: Iterable[str]) -> str:
    """Properties by their object, the first few of each."""
    by_object: dict[str, list[str]] = defaultdict(list)
    for shown in properties:
        kind, _, name = shown.partition(".")
        by_object[kind].append(name)
    return ", ".join(f"{kind} {_few(names)}".strip() for kind, names in by_object.items())


def _few(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return " ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _likely(missing: Sequence[str], entity: Entity, wanted: Iterable[str]) -> str:
    """A proposal for [sage100.columns] where the agent has a name much like a missing one."""
    known = {*wanted, *entity.key}
    others = [column.name for column in entity.columns if column.name not in known]
    found = [
        f'{column} = "{near[0]}"'
        for column in missing
        if (near := difflib.get_close_matches(column, others, n=1, cutoff=0.8))
    ]
    return f" Perhaps: {', '.join(found)}." if found else ""


# ---------------------------------------------------------------- rows


def _rows(
    subject: str, name: str, seen: Sample, read_for: Mapping[str, Sequence[Use]]
) -> CheckLine:
    if not seen.rows:
        return CheckLine(subject, True, "too few rows to judge by")
    first = f"the first {seen.rows} rows"
    wrong = [column for column in _NEVER_BLANK.get(name, ()) if column in seen.blank]
    together = _NOT_ALL_BLANK.get(name, ())
    if together and all(column in seen.blank for column in together):
        wrong += [column for column in together if column not in wrong]
    if wrong:
        return CheckLine(
            subject,
            False,
            f"{', '.join(wrong)} blank in all of {first}",
            "Sage 100 never leaves these empty: the agent asks for them by a wrong name. Compare "
            "its names with the file layouts of this Sage 100 version.",
            names=seen.blank,
        )
    if seen.shifted:
        return CheckLine(
            subject,
            False,
            f"in {seen.shifted} of {first} cells stand under the wrong column, as {seen.misplaced}",
            "The agent parts its results at a character that names hold as well (a Š is the byte "
            "0x8A, Sage 100's separator). Have it read each column by itself.",
        )
    if seen.mangled:
        return CheckLine(
            subject,
            False,
            f"in {seen.mangled} of {first} letters are not Sage 100's, as {seen.misread}",
            "Sage 100 holds Windows-1252: have the agent decode it so (code page 1252, not "
            "Latin-1), once, and write UTF-8.",
        )
    if not seen.blank:
        return CheckLine(subject, True, f"{first} looked at")
    blank = f"blank in all of {first}: {_blank(seen, read_for)}"
    return CheckLine(subject, True, blank, names=seen.blank)


def _blank(seen: Sample, read_for: Mapping[str, Sequence[Use]]) -> str:
    """Columns without any cell: by name what is read for something, the others as a number."""
    read = [column for column in read_for if column in seen.blank]
    others = len(seen.blank) - len(read)
    if not others:
        return ", ".join(read)
    if not read:
        return f"{others} column{'' if others == 1 else 's'} of no use"
    return f"{', '.join(read)}, and {others} other{'' if others == 1 else 's'} of no use"
