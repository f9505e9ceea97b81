"""The mapping the configuration names, read and checked."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

from connector.config.settings import Config
from connector.errors import Misconfigured
from projections.mapping import compiled


def _built_in(name: str) -> dict[str, Any]:
    text = (resources.files("projections.mapping") / name).read_text("utf-8")
    return tomllib.loads(text)


def load_mapping(config: Config) -> compiled.CompiledMapping:
    """The configured mapping, or the built-in one. Raises Misconfigured."""
    path = config.hubspot.mapping
    if path is None:
        document = _built_in("default.toml")
        if config.hubspot.invoices == "custom":
            document |= _built_in("custom_invoices.toml")
        return compiled.restore(document, origin="the built-in mapping")
    try:
        return compiled.parse(path.read_text("utf-8"), origin=str(path))
    except (OSError, UnicodeDecodeError) as problem:
        raise Misconfigured(
            f"The mapping cannot be read: {problem}.", where=f"hubspot.mapping = {str(path)!r}"
        ) from None
    except compiled.MappingError as problem:
        raise Misconfigured(str(problem), where="hubspot.mapping") from None
