"""Plans: what is open in the end, told once, with what HubSpot is known not to take."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from connector import planning
from connector.rebuild import is_current
from projections import events as e
from projections import plan
from projections.mapping import compiled, rules
from projections.tables import Target, Withheld
from projections.validation import refusal
from tests.projections.rig import MAPPING, Rig, bill, customer, new, open_rig

ACME = "companies/ABC:01-ACME"
PER_MINUTE = {"general": 600.0, "associations": 300.0}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig whose settings are known and folded."""
    async with open_rig(tmp_path) as made:
        assert await is_current(made.store)
        await made.settings()
        await made.idle()
        yield made


async def made(desk: Rig, mapping: compiled.CompiledMapping = MAPPING) -> planning.Made:
    """The plan as things stand, every change of it."""
    return await planning.make(desk.store, mapping, "professional", everything=True)


def described(defined: bool) -> compiled.CompiledMapping:
    """The built-in mapping with one rule more, or one less."""
    content = compiled.content(MAPPING)
    found = content["companies"]["rules"]
    more = {"property": "description", "from": "CustomerName"}
    kept = [one for one in found if one["property"] != "city"]
    content["companies"]["rules"] = [*found, more] if defined else kept
    return compiled.restore(content)


async def test_a_plan_is_what_is_then_done(desk: Rig) -> None:
    """What the plan says of unread and undecided events is what the projector emits, to the letter,
    and planning leaves no trace in the store."""
    await desk.see(customer("ACME", City="Oslo"), bill("ACME", "0000001", "5"))
    head = (await desk.store.head()).last
    planned = await made(desk)
    assert (await desk.store.head()).last == head
    assert await desk.targets() == {}
    again = await made(desk)
    assert again.plan == planned.plan
    await desk.idle()
    done = {
        name: {prop: (doc.held.get(prop), value) for prop, value in doc.changes.items()}
        for name, doc in (await desk.targets()).items()
        if not name.startswith("associations/")
    }
    assert {one.target: one.fields for one in planned.changes if one.act != "link"} == done


async def test_a_plan_for_another_mapping(desk: Rig) -> None:
    """A rule more is a change of every record; a rule less is none, and so is the one in force."""
    await desk.see(customer("ACME", City="Oslo"), customer("BETA"))
    await desk.idle()
    for name in ("ACME", "BETA"):
        for kind in ("companies", "contacts"):
            await desk.carry_out(f"{kind}/ABC:01-{name}", f"id of {name}")
    waiting = (await made(desk)).plan.digest
    fewer = await made(desk, described(defined=False))
    assert (fewer.plan.fields, fewer.plan.digest == waiting) == ([], False)
    found = await made(desk, described(defined=True))
    assert {one.target: one.fields for one in found.changes if one.fields} == {
        f"companies/ABC:01-{name}": {"description": (None, f"Customer {name}")}
        for name in ("ACME", "BETA")
    }
    assert found.plan.new_mapping


async def test_a_parked_record_goes_on_by_another_mapping(desk: Rig) -> None:
    """The plan has it among what is sent once the mapping gives it other values, else not."""
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    doc = await desk.target(ACME)
    await desk.tell(ACME, e.CommandParked(doc.command, "INVALID_OPTION", "no", "none"))
    stays = await made(desk)
    assert [one.why for one in stays.plan.refusals] == ["parked"]
    assert {one.target: one.stays for one in stays.changes}[ACME] == "INVALID_OPTION"
    goes = await made(desk, described(defined=False))
    assert goes.plan.refused == 0
    mapping = described(defined=False)
    activated = e.MappingActivated(mapping.digest, compiled.content(mapping))
    await desk.store.append([new(planning.MAPPING_STREAM, activated)])
    await desk.idle()
    assert (await desk.target(ACME)).state == "pending"


async def test_a_plan_leaves_out_what_a_person_has_to_release(desk: Rig) -> None:
    """The changes of a held company are not planned; that it is held is said."""
    await desk.see(customer("ACME", City="Oslo"))
    held = e.MassChangeHeld("sweep", "AR_Customer", 100, 90, 0, 90, "another company")
    await desk.store.append([new("poll/acme/ABC/AR_Customer", held)])
    found = await made(desk)
    assert found.plan.empty
    assert [one.company for one in found.frozen] == ["ABC"]
    assert found.frozen[0].waiting > 0


async def test_the_log_moves_by_what_matters_alone(desk: Rig) -> None:
    """A pass that finds nothing, or that may be made again, leaves a plan good; a changed record
    does not.
    """
    await desk.see(customer("ACME"))
    await desk.idle()
    kept = planning.Kept("", (await desk.store.head()).last, 0)
    passed = [e.PollStarted("cursor"), e.PollCompleted("cursor", 5, 5, 0)]
    await desk.store.append([new("poll/acme/ABC/AR_Customer", one) for one in passed])
    let_go = e.LogonReleased("acme", "2026-11-20T10:00:00Z", "401", "eve")
    await desk.store.append([new("audit/logon/acme", let_go)])
    assert await planning.moved(desk.store, kept.position) is None
    good = await made(desk)
    kept = msgspec.structs.replace(kept, digest=good.plan.digest, position=good.plan.position)
    await planning.check(desk.store, kept, "professional")
    await desk.see(customer("ACME", City="Oslo"))
    with pytest.raises(planning.PlanRefused, match="RecordObserved"):
        await planning.check(desk.store, kept, "professional")
    forged = msgspec.structs.replace(kept, position=(await desk.store.head()).last)
    with pytest.raises(planning.PlanRefused, match="another plan"):
        await planning.check(desk.store, forged, "professional")


async def test_a_value_refused_elsewhere_is_expected_to_be_refused(desk: Rig) -> None:
    """What HubSpot would not take in one record it will not take in the next."""
    await desk.see(customer("ACME", City="Nowhere"))
    await desk.idle()
    doc = await desk.target(ACME)
    await desk.tell(ACME, e.CommandSent(doc.command, "b", 1))
    left_out = {"city": e.Withheld("Nowhere", "INVALID_OPTION")}
    done = e.CommandSucceeded(doc.command, "7", "created", withheld=left_out)
    await desk.tell(ACME, done)
    await desk.see(customer("BETA", City="Nowhere"), customer("GAMMA", City="Oslo"))
    found = (await made(desk)).plan
    assert [(one.target, one.why) for one in found.refusals] == [("companies/ABC:01-BETA", "known")]


def planned(*targets: tuple[str, Target]) -> plan.Plan:
    """A plan of these open commands."""
    planning_ = plan.Planning(MAPPING.source, "digest", 7, new_mapping=False, known={})
    for name, doc in targets:
        planning_.add(name, doc)
    return planning_.finish(PER_MINUTE)


def test_what_it_costs() -> None:
    """A hundred records a call, looked for first when they may be there; 2,000 links a call."""
    there = Target(hubspot_id="7", state="pending", changes={"name": "x"})
    unknown = Target(state="pending", changes={"name": "x"})
    link = Target(state="pending", changes={"linked": "true"})
    found = planned(
        *((f"companies/ABC:01-{number}", there) for number in range(250)),
        *((f"contacts/ABC:01-{number}:X", unknown) for number in range(101)),
        *(
            (f"associations/contacts:ABC:01-{number}:X>companies:ABC:01-{number}", link)
            for number in range(2001)
        ),
    )
    assert found.calls == 3 + 2 + 2 + 2
    assert found.minutes == round(7 / 600 + 2 / 300, 2)
    large = Target(hubspot_id="7", state="pending", changes={"name": "x" * 400_000})
    assert planned(*((f"companies/ABC:01-{number}", large) for number in range(5))).calls == 3


def test_the_digest_is_of_all_of_it() -> None:
    """Any other record, property, value, order of writing or reason is another plan."""
    doc = Target(hubspot_id="7", state="pending", changes={"name": "x", "city": "y"})
    replace = msgspec.structs.replace
    plans = [
        planned(("companies/ABC:01-A", doc)),
        planned(("companies/ABC:01-B", doc)),
        planned(("companies/ABC:01-A", replace(doc, changes={"name": "x"}))),
        planned(("companies/ABC:01-A", replace(doc, changes={"name": "z", "city": "y"}))),
        planned(("companies/ABC:01-A", replace(doc, held={"name": "w"}))),
        planned(("companies/ABC:01-A", replace(doc, fill=("city",)))),
        planned(("companies/ABC:01-A", replace(doc, state="parked", reason="R"))),
        planned(),
    ]
    assert len({one.digest for one in plans}) == len(plans)
    turned = replace(doc, changes={"city": "y", "name": "x"})
    assert planned(("companies/ABC:01-A", turned)).digest == plans[0].digest


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("number", "-1.5", "ten"),
        ("bool", "true", "yes"),
        ("date", "2026-11-22", "22.11.2026"),
        ("datetime", "2026-11-22T08:15:00Z", "soon"),
        ("string", "anything", "x" * 65_537),
        ("enumeration", "a;b", "c"),
    ],
)
def test_what_a_definition_of_ours_does_not_allow(kind: str, good: str, bad: str) -> None:
    """A value of another kind, a missing option and an endless text are told beforehand."""
    options = tuple(rules.Option(value, value) for value in ("a", "b"))
    define = rules.Definition("Label", kind, options=options)  # type: ignore[arg-type]
    assert refusal(define, good) == ""
    assert refusal(define, bad) != ""
    assert refusal(define, "") == ""
    assert refusal(None, "whatever HubSpot makes of it") == ""


def test_withheld_values_are_no_part_of_a_change() -> None:
    """A value that is left out of a record already is not planned again."""
    doc = Target(
        hubspot_id="7",
        state="pending",
        changes={"name": "x"},
        withheld={"city": Withheld("Nowhere", "INVALID_OPTION")},
    )
    assert list(plan.change_of("companies/ABC:01-A", doc).fields) == ["name"]
