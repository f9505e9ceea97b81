"""Deals: pipelines and their stages, of which a deal may only have a pair that belongs together."""

from __future__ import annotations

from typing import Any

from .catalog import DEAL_STAGES
from .changes import Record
from .exchange import Reply, Request
from .options import HubSpotOptions
from .refusals import Invalid
from .state import State

CREATED = "2020-01-01T00:00:00Z"
WON, LOST = "closedwon", "closedlost"


def pipelines(options: HubSpotOptions) -> dict[str, tuple[str, ...]]:
    """The stages of each pipeline, in order."""
    return {"default": DEAL_STAGES} | options.pipelines


def wrong_stage(
    options: HubSpotOptions, target: Record | None, clean: dict[str, str]
) -> list[Invalid]:
    """Refuse a stage that is not one of the deal's pipeline."""
    if "dealstage" not in clean and "pipeline" not in clean:
        return []
    held = {} if target is None else target.properties
    stage = clean.get("dealstage", held.get("dealstage", ""))
    pipeline = clean.get("pipeline", held.get("pipeline", ""))
    stages = pipelines(options).get(pipeline)
    if not stage or stages is None or stage in stages:
        return []
    message = f"{stage} is not a stage of pipeline {pipeline}: [{', '.join(stages)}]"
    return [Invalid("dealstage", "INVALID_OPTION", message)]


def listed(portal: State, request: Request) -> Reply:
    """`GET /crm/pipelines/V/deals`; of other types: none."""
    found = pipelines(portal.options) if request.type == "deals" else {}
    results = [_pipeline(name, stages, order) for order, (name, stages) in enumerate(found.items())]
    return Reply(status=200, body={"results": results})


def _pipeline(name: str, stages: tuple[str, ...], order: int) -> dict[str, Any]:
    label = "Sales Pipeline" if name == "default" else name
    return _dated({"id": name, "label": label, "displayOrder": order}) | {
        "stages": [
            _dated({"id": stage, "label": stage.capitalize(), "displayOrder": place})
            | {"metadata": _metadata(stage, place, len(stages))}
            for place, stage in enumerate(stages)
        ]
    }


def _dated(one: dict[str, Any]) -> dict[str, Any]:
    return one | {"createdAt": CREATED, "updatedAt": CREATED, "archived": False}


def _metadata(stage: str, place: int, count: int) -> dict[str, str]:
    closed = stage.endswith((WON, LOST))
    if closed:
        probability = "1.0" if stage.endswith(WON) else "0.0"
    else:
        probability = f"{(place + 1) / (count + 1):.1f}"
    return {"isClosed": "true" if closed else "false", "probability": probability}
