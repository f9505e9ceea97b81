"""Whether what an agent shows as its WSDL describes the contract that we speak.

We do not work by the WSDL; whoever else uses the agent does, and a wrong one shows that another
service answers, or that the agent is of another version. It comes from outside: no DTD, no entity
and no other document is ever read.
"""

from __future__ import annotations

from typing import Final, get_args

import msgspec
from lxml import etree

from connector.sage100.contract import NAMESPACE, Operation

_WSDL: Final = "{http://schemas.xmlsoap.org/wsdl/}"
_OPERATIONS: Final = frozenset(get_args(Operation))


class Flaw(msgspec.Struct, frozen=True):
    """What is not as it should be, and what to do about it."""

    what: str
    remedy: str


def flaw_of(document: bytes) -> Flaw | None:
    """What is wrong with a WSDL; None when it describes our operations."""
    parser = etree.XMLParser(
        load_dtd=False, resolve_entities=False, no_network=True, huge_tree=False
    )
    try:
        root = etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError) as problem:
        return Flaw(f"what came is not well-formed XML: {problem}", _SOMETHING_ELSE)
    if root.getroottree().docinfo.doctype:
        return Flaw("what came holds a DTD, which is refused whatever it says", _SOMETHING_ELSE)
    if root.tag != f"{_WSDL}definitions":
        name = etree.QName(root)
        return Flaw(f"what came is no WSDL 1.1: it is a {_cut(name.localname)}", _SOMETHING_ELSE)
    namespace = str(root.get("targetNamespace", ""))
    found = {str(one.get("name", "")) for one in root.iterfind(f"{_WSDL}portType/{_WSDL}operation")}
    if not found and root.find(f"{_WSDL}import") is not None:
        return Flaw(
            "it only refers to other documents (wsdl:import)",
            "Let the agent show one whole document at ?wsdl; a WCF service has it at ?singleWsdl.",
        )
    if namespace != NAMESPACE:
        return Flaw(f"it describes {_cut(namespace)!r}, not {NAMESPACE!r}", _ANOTHER_SERVICE)
    missing = sorted(_OPERATIONS - found)
    if missing:
        return Flaw(f"it has no operation {', '.join(missing)}", _ANOTHER_SERVICE)
    return None


_SOMETHING_ELSE: Final = (
    "Open this address in a browser on the server: it must show the agent's WSDL. See that "
    "[[sage100]] endpoint names the agent's own path."
)
_ANOTHER_SERVICE: Final = (
    "Another service answers here, or an agent of another version: compare [[sage100]] endpoint "
    "with the agent's address, or update the agent."
)


def _cut(text: str) -> str:
    return text if len(text) <= 100 else text[:100] + "…"
