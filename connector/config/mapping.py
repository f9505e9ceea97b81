"""The mapping the configuration names, read and checked."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from connector.config import locate
from connector.config.settings import Config
from connector.errors import Misconfigured
from connector.hubspot.customs import is_custom
from projections.mapping import compiled


def _built_in(name: str) -> dict[str, Any]:
    text = (resources.files("projections.mapping") / name).read_text("utf-8")
    return tomllib.loads(text)


def built_in() -> compiled.CompiledMapping:
    """The built-in mapping with everything in it that can be had."""
    document = with_lines(_built_in("default.toml"))
    return compiled.restore(document, origin="the built-in mapping")


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
    return read_mapping(path, "hubspot.mapping")


def read_mapping(path: Path, named_by: str) -> compiled.CompiledMapping:
    """A mapping file; `named_by`: what names it. Raises Misconfigured, with the line."""
    remedy = (
        "Correct the file, or name another; 'ml-connector init' in an empty folder writes the "
        "default mapping."
    )
    where = f"{named_by} = {str(path)!r}"
    try:
        text = path.read_text("utf-8")
    except OSError as problem:
        what = f"the mapping cannot be read: {problem.strerror or problem}"
        raise Misconfigured(what, where=where, remedy=remedy) from None
    except UnicodeDecodeError:
        raise Misconfigured("the mapping is not UTF-8 text", where=where, remedy=remedy) from None
    try:
        return compiled.parse(text, origin=str(path))
    except compiled.MappingError as problem:
        line = locate.line_of(locate.lines_of(text), problem.path) if problem.path else None
        where = f"{path}, line {line}" if line is not None else str(path)
        raise Misconfigured(problem.what, where=where, remedy=remedy) from None
