"""Can I trust it? A log rewritten whole is found by its anchors and put back from an export."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from connector.sandbox.agent import posting
from eventstore import NewEvent, open_store
from tests.cli.conftest import Bench


async def _rewrite(store: Path, forged: Path, needle: bytes, instead: bytes) -> None:
    """A whole new log in which one text never was, with a chain that holds."""
    async with (
        open_store(f"sqlite:///{store}", read_only=True) as true,
        open_store(f"sqlite:///{forged}") as other,
    ):
        after = 0
        while page := await true.sealed(after):
            for commit in page:
                await other.append(
                    [
                        NewEvent(
                            each.stream,
                            each.type,
                            (each.data or b"").replace(needle, instead),
                            each.schema,
                            each.cause,
                        )
                        for each in commit.events
                    ]
                )
            after = page[-1].last


def test_rewritten_found_and_put_back(bench: Bench) -> None:
    """Somebody rewrites history whole; verify alone is content, the anchors are not; the exported
    log is imported into a new store, read models are rebuilt, and all is as it was.
    """
    folder = bench.site.config_path.parent
    store, anchors, file = folder / "events.db", folder / "anchors.jsonl", folder / "log.jsonl.zst"
    config = bench.site.config_path.read_text(encoding="utf-8")
    bench.site.config_path.write_text(f'{config}\n[anchors]\nfile = "anchors.jsonl"\n')
    company = bench.site.sage100.company
    row = next(iter(company.rows("AR_Customer")))
    customer = (row["ARDivisionNo"], row["CustomerNo"])
    assert bench.command("run", "--once").code == 0
    bench.at_the_site(lambda: posting.post_invoice(company, customer, "9876.54"))
    assert bench.command("run", "--once").code == 0
    published = [json.loads(line) for line in anchors.read_text().splitlines()]
    assert len(published) == 2
    assert bench.command("verify", "--anchor", anchors).code == 0
    assert bench.command("export", file).code == 0
    status, proof = bench.command("status", "--json").json(), bench.command("proof", "--json")
    assert proof.code == 0

    asyncio.run(_rewrite(store, folder / "forged.db", b"9876.54", b"1876.54"))
    for suffix in ("", "-wal", "-shm"):
        store.with_name(store.name + suffix).unlink(missing_ok=True)
    (folder / "forged.db").rename(store)
    assert bench.command("verify").code == 0
    ended = bench.command("verify", "--anchor", anchors)
    assert ended.code == 1
    assert "history was rewritten" in ended.out

    checked = bench.command("verify", "--export", file, "--anchor", anchors, "--json")
    assert (checked.code, checked.json()["anchor"]) == (0, published[-1]["head"])
    store.unlink()
    taken = bench.command("import", file)
    assert taken.code == 0, taken.err
    assert "Next: ml-connector rebuild" in taken.out
    assert bench.command("verify", "--anchor", anchors).code == 0
    assert bench.command("rebuild").code == 0
    assert bench.command("rebuild", "--verify").code == 0
    again = bench.command("status", "--json").json()
    assert (again["log"]["hash"], again["hubspot"]) == (status["log"]["hash"], status["hubspot"])
    writes = bench.at_the_site(lambda: bench.site.portal.calls.writes)
    assert bench.command("run", "--once").code == 0
    assert bench.at_the_site(lambda: bench.site.portal.calls.writes) == writes
    live = bench.command("proof", "--live", "--json")
    assert live.code == 0
    sums = [[one["lines"] for one in each.json()["companies"]] for each in (proof, live)]
    assert sums[0] == sums[1]
    assert len(anchors.read_text().splitlines()) == 3
