"""A rehearsal with the mapping in force ends where the real thing has ended."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from connector import breaker
from connector.rehearsal import rehearse
from connector.sandbox.agent import AgentOptions
from connector.scratch import clear_left, scratch_folder
from projections.events import MassChangeReleased
from projections.tables import Target
from projections.workspace import decode
from tests.e2e import office
from tests.e2e.site import open_site


async def test_a_rehearsal_ends_where_the_service_has(tmp_path: Path) -> None:
    """After days of work in Sage 100 every value it would have written is one that was written,
    with as many commands, and nothing differs between a mapping and itself."""
    options = AgentOptions(seed=51, customers=25, invoices=60, vendors=4)
    async with open_site(tmp_path, options) as site, site.app() as app:
        await app.run_once()
        office.change_masters(site.company)
        await app.run_once(sweep=True)
        office.post(site.company, site.today())
        await app.run_once(sweep=True)
        held = await breaker.find(app.store, "ABC")
        assert held is not None, "so many payments at once wait for a person"
        assert await breaker.release(app.store, MassChangeReleased("ABC", held.position))
        report = await app.run_once()
        assert report.complete
        found = await rehearse(app.store, app.mapping, app.mapping, scratch=tmp_path)
        assert [one for one in found.fields if one.differ] == []
        live: dict[tuple[str, str], int] = {}
        rows = await app.store.scan("target", limit=100_000)
        for row in rows:
            doc: Target = decode("target", row.value)
            kind = row.key.partition("/")[0]
            for prop in doc.held if kind != "associations" else ():
                live[kind, prop] = live.get((kind, prop), 0) + 1
        assert {(one.object, one.property): one.same for one in found.fields} == live
        for one in found.objects:
            assert one.records_old == sum(row.key.startswith(f"{one.object}/") for row in rows)
            assert one.commands_old == one.commands_new == one.commands_then, one.object


REHEARSING = """
import sys
from pathlib import Path
from connector.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1]), Path(sys.argv[2])) as folder:
    (folder / "old.db").write_text("Wilhelmina Quist")
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_rehearsal_leaves_is_found_and_removed(tmp_path: Path) -> None:
    """A note beside the store says where its copies lie; the next one to ask removes them, and not
    those of one that is still at work.
    """
    store, room = tmp_path / "events.db", tmp_path / "room"
    room.mkdir()
    command = [sys.executable, "-c", REHEARSING, str(store), str(room)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        assert clear_left(store) == 0
        assert (left / "old.db").exists()
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    assert (left / "old.db").exists()
    with scratch_folder(store, room) as folder:
        assert (left.exists(), folder.exists()) == (False, True)
        assert clear_left(store) == 0
        assert folder.exists()
    assert list(room.iterdir()) == []
    assert list(tmp_path.glob("events.db*")) == []
