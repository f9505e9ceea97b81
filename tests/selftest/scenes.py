"""What the connector is ended in: a first sync, a later pass with much to do, an applied plan.

Each scene is prepared undisturbed, then one piece of work is watched (and ended), and whoever takes
it up does what an operator would: the same command again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, NamedTuple

from connector import planning, replaying, reports
from connector.app import App
from connector.mappings import PLAN_STREAM
from connector.sandbox.agent import AgentOptions, maintenance, posting
from projections.mapping import compiled
from tests.e2e import holding
from tests.e2e.site import Site

OPTIONS: Final = AgentOptions(seed=5, customers=4, invoices=8, vendors=2, scan_limit=40)
_NAME: Final = 'property = "name"\nfrom = "CustomerName"\n'
_NEW: Final = ("01", "NEWPARK")


class Scene(NamedTuple):
    """`prepare` brings a site to where the work begins; `work` is what is watched; `again` what
    takes it up.
    """

    name: str
    what: str
    prepare: Callable[[Site], Awaitable[None]]
    work: Callable[[App], Awaitable[object]]
    again: Callable[[App], Awaitable[object]]


# ------------------------------------------------------------ a first sync


async def _nothing(_: Site) -> None:
    pass


async def _once(app: App) -> None:
    await app.run_once()


# ------------------------------------------------------------ a later pass


async def _sweep(app: App) -> None:
    await app.run_once(sweep=True)


async def _much_to_do(site: Site) -> None:
    """A record that was parked, invoices and all behind it, is cured and asked for again; another
    one is going to be parked; a vendor is gone for the second time; people have deleted a contact;
    and there are changes, a new invoice and a payment.
    """
    company, portal = site.company, site.portal
    invoices = company.rows("AR_Invoice")
    sick, buyer, *_ = dict.fromkeys((row["ARDivisionNo"], row["CustomerNo"]) for row in invoices)
    portal.poison("companies", _key(sick), "not this one")
    async with site.app() as app:
        await app.run_once()
    vendor = next(iter(company.rows("AP_Vendor")))
    maintenance.remove(company, "AP_Vendor", (vendor["APDivisionNo"], vendor["VendorNo"]))
    async with site.app() as app:
        await app.run_once(sweep=True)
        status = await reports.status(app.store)
        assert sum(row["parked"] for row in status["hubspot"]) == 1
        assert sum(row["held"] for row in status["hubspot"]) > 1
        portal.cure("companies", _key(sick))
        selection, targets = await replaying.select_for_replay(app.store, is_parked=True)
        await replaying.request_replay(app.store, selection, targets, dry_run=False)
    maintenance.change_customer(company, buyer, {"TelephoneNo": "(312) 555-0142"})
    invoice = posting.post_invoice(company, buyer, "1250.00")
    posting.receive_payment(company, invoice, "400.00")
    portal.poison("companies", _key(_NEW), "nor this one")
    maintenance.add_customer(company, _NEW, {"CustomerName": "New and refused", "City": "Oslo"})
    contact = next(iter(holding.held(portal)["contacts"].values()))
    portal.archive("contacts", contact["hs_object_id"])


def _key(customer: tuple[str, str]) -> str:
    return f"ABC:{customer[0]}-{customer[1]}"


# ------------------------------------------------------------ an applied plan


async def _planned(site: Site) -> None:
    """Everything is synced, and a plan is kept that changes the name of every company."""
    async with site.app() as app:
        await app.run_once()
    text = (Path(compiled.__file__).parent / "default.toml").read_text("utf-8")
    louder = text.replace(_NAME, f'{_NAME}transform = "upper"\n', 1)
    site.config_path.with_name("mapping.toml").write_text(louder, encoding="utf-8")
    config = site.config_path.read_text("utf-8").rstrip()
    assert config.rpartition("\n[")[2].startswith("hubspot]")
    site.config_path.write_text(f'{config}\nmapping = "mapping.toml"\n', encoding="utf-8")
    async with site.app() as app:
        made = await planning.make(app.store, compiled.parse(louder), "professional")
        assert made.plan.records >= OPTIONS.customers
        await planning.keep(_store_file(app), made)


async def _apply(app: App) -> None:
    [path] = planning.folder_of(_store_file(app)).glob("*.plan")
    await app.apply(await planning.find(_store_file(app), path.stem), "eve")


async def _apply_again(app: App) -> None:
    """`apply` once more, unless the log has it by now: then any run goes on with it."""
    if await app.store.history(PLAN_STREAM):
        await app.run_once()
    else:
        await _apply(app)


def _store_file(app: App) -> Path:
    file = app.config.store.file
    assert file is not None
    return file


SCENES: Final = {
    scene.name: scene
    for scene in (
        Scene("first", "the first sync of a small site", _nothing, _once, _once),
        Scene(
            "second", "a sweep after changes, deletions and refusals", _much_to_do, _sweep, _sweep
        ),
        Scene("apply", "a plan with another mapping", _planned, _apply, _apply_again),
    )
}
