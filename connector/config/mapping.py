"""The mapping the configuration names, read and checked."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

from connector.config.settings import Config
from connector.errors import Misconfigured
from connector.hubspot.customs import is_custom
from projections.mapping import compiled


def _built_in(name: str) -> dict[str, Any]:
    text = (resources.files("projections.mapping") / name).read_text("utf-8")
    return tomllib.loads(text)


def load_mapping(config: Config) -> compiled.CompiledMapping:
    """The configured mapping, or the built-in one. Raises Misconfigured."""
    mapping = _read(config)
    if config.hubspot.line_items:
        _refuse_without_lines(mapping, f"{config.path}, [hubspot] line_items")
    return mapping


def _refuse_without_lines(mapping: compiled.CompiledMapping, where: str) -> None:
    """HubSpot's line items belong to its own invoices; what they hold is for the mapping to say."""
    if "line_items" not in mapping.objects:
        raise Misconfigured(
            "a mapping of your own says itself what line items hold, and this one does not",
            where=where,
            remedy="Add a [line_items] section to it: the handbook's page on the mapping has one.",
        )
    if is_custom(mapping.objects["invoices"].hubspot_type):
        raise Misconfigured(
            "line items belong to HubSpot's own invoices, and yours are a custom object",
            where=where,
            remedy='Leave it out, or set invoices = "native".',
        )


def with_lines(document: dict[str, Any]) -> dict[str, Any]:
    """The built-in mapping with line items: what is billed is then HubSpot's to work out."""
    for rule in document["invoices"]["rules"]:
        if rule["property"] == "hs_amount_billed":
            rule["owner"] = "create"
    return document | _built_in("line_items.toml")


def _read(config: Config) -> compiled.CompiledMapping:
    path = config.hubspot.mapping
    if path is None:
        document = _built_in("default.toml")
        if config.hubspot.invoices == "custom":
            document |= _built_in("custom_invoices.toml")
        if config.hubspot.line_items:
            document = with_lines(document)
        return compiled.restore(document, origin="the built-in mapping")
    try:
        return compiled.parse(path.read_text("utf-8"), origin=str(path))
    except (OSError, UnicodeDecodeError) as problem:
        raise Misconfigured(
            f"The mapping cannot be read: {problem}.", where=f"hubspot.mapping = {str(path)!r}"
        ) from None
    except compiled.MappingError as problem:
        raise Misconfigured(str(problem), where="hubspot.mapping") from None
