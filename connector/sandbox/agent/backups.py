"""Backups: files as they were, put back, and files of another company served under a code.

Reference 3.5: a restore makes stamps and rows go back, which is no error but asks for a full
comparison; and a wrong company's data under the right code is what a breaker against mass changes
is for. Both replace every file at once.
"""

from __future__ import annotations

import msgspec

from connector.sandbox.agent.layouts import Entity
from connector.sandbox.agent.model import Company, Draft


class Backup(msgspec.Struct, frozen=True):
    """Every file of a company at one moment, with its layout, and the unposted batches."""

    files: dict[str, tuple[Entity, list[bytes]]]
    next_invoice_no: int
    batches: dict[str, list[Draft]]


def back_up(company: Company) -> Backup:
    """Copy a company's files."""
    return Backup(
        {name: (table.entity, table.dump()) for name, table in company.tables.items()},
        company.next_invoice_no,
        {name: list(drafts) for name, drafts in company.batches.items()},
    )


def restore(company: Company, backup: Backup) -> None:
    """Put the files of a backup in the place of what there is, also those of another company."""
    for name, (entity, rows) in backup.files.items():
        table = company.table(name)
        table.entity = entity
        table.load(list(rows))
    company.next_invoice_no = backup.next_invoice_no
    company.batches = {name: list(drafts) for name, drafts in backup.batches.items()}


def serve_instead(company: Company, other: Company) -> Backup:
    """Serve the other company's files under this one's code; returns what `restore` puts back."""
    own = back_up(company)
    restore(company, back_up(other))
    return own
