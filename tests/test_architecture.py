"""The rules of the code base that no type checker sees: who imports whom, and what a module is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

import eventstore

ROOT: Final = Path(__file__).parent.parent
PACKAGES: Final = ("eventstore", "projections", "connector")
SANDBOX: Final = "connector.sandbox"
MOST_LINES: Final = 400

# What the pure part must not know: the outside world, and time.
IMPURE: Final = {
    "asyncio",
    "datetime.now",
    "http",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
    "urllib.request",
    "uuid",
}
VENDOR_CLIENTS: Final = ("connector.sage100", "connector.hubspot", "connector.sandbox")
SQL: Final = re.compile(
    r"\b(select\s.+\sfrom|insert\s+(or\s+\w+\s+)?into|update\s+\w+\s+set|delete\s+from|"
    r"create\s+(table|index|trigger|view)|drop\s+table|pragma\s+\w+)\b",
    re.IGNORECASE | re.DOTALL,
)


class Module(NamedTuple):
    """One source file and what it is called."""

    name: str
    path: Path
    tree: ast.Module

    def imports(self) -> Iterator[str]:
        """Every module or name it imports, dotted and absolute."""
        package = self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    above = package.split(".")[: len(package.split(".")) - node.level + 1]
                    base = ".".join([*above, base] if base else above)
                yield from (f"{base}.{alias.name}" for alias in node.names)


def _modules() -> list[Module]:
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(Module(name, path, ast.parse(path.read_text(encoding="utf-8"))))
    return found


MODULES: Final = _modules()


def within(name: str, *packages: str) -> bool:
    """Whether a dotted name is one of these packages or inside one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def forbidden(of: str, *packages: str) -> list[str]:
    """Imports of these packages by the modules of `of`."""
    return [
        f"{module.name} imports {name}"
        for module in MODULES
        if within(module.name, of)
        for name in module.imports()
        if within(name, *packages)
    ]


def test_the_store_knows_nothing_of_ours() -> None:
    """eventstore imports neither projections nor connector."""
    assert forbidden("eventstore", "projections", "connector") == []


def test_projections_know_nothing_of_ours_and_are_pure() -> None:
    """projections imports nothing of ours, no network, no file, no clock, no randomness."""
    assert forbidden("projections", "eventstore", "connector", *IMPURE) == []


def test_projections_read_no_clock() -> None:
    """No module of projections asks what time it is."""
    asked = [
        f"{module.name}:{node.lineno}"
        for module in MODULES
        if within(module.name, "projections")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
    ]
    assert asked == []


def test_the_sandbox_shares_no_code_with_the_client() -> None:
    """connector.sandbox imports nothing of ours but itself: a shared mistake would prove itself."""
    shared = [
        line
        for line in forbidden(SANDBOX, "connector", "eventstore", "projections")
        if not within(line.rpartition(" ")[2], SANDBOX)
    ]
    assert shared == []


def test_only_its_commands_use_the_sandbox() -> None:
    """The product does not depend on the simulators; only the commands that start them do."""
    users = {
        module.name
        for module in MODULES
        if not within(module.name, SANDBOX)
        if any(within(name, SANDBOX) for name in module.imports())
    }
    assert users <= {name for name in users if within(name, "connector.cli")}
    assert {name.rpartition(".")[2].partition("_")[0] for name in users} <= {
        "demo",
        "reproduce",
        "sandbox",
    }


def test_only_the_vendor_packages_speak_to_vendors() -> None:
    """HTTP and XML clients are used by sage100, hubspot and the sandbox alone."""
    speakers = [
        module.name
        for module in MODULES
        if any(within(name, "aiohttp", "lxml", "requests", "urllib3") for name in module.imports())
        if not within(module.name, *VENDOR_CLIENTS)
    ]
    assert [name for name in speakers if name != "connector.app"] == []


def test_sql_stands_in_the_store_alone() -> None:
    """SQL is written in eventstore and its *.sql files, nowhere else."""
    found = [
        f"{module.name}:{node.lineno}: {node.value[:60]}"
        for module in MODULES
        if not within(module.name, "eventstore")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if SQL.search(node.value)
    ]
    assert found == []
    assert [path for path in ROOT.glob("[cp]*/**/*.sql") if "venv" not in path.parts] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_module(module: Module) -> None:
    """A module is short, says why it exists, and documents everything public in it."""
    text = module.path.read_text(encoding="utf-8")
    assert text.count("\n") <= MOST_LINES
    assert ast.get_docstring(module.tree), "the module has no docstring"
    assert list(undocumented(module.tree)) == []


def undocumented(tree: ast.Module | ast.ClassDef) -> Iterator[str]:
    """Public classes and functions without a docstring, also inside public classes."""
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and not _overload(node):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{name}" for name in undocumented(node))


def _overload(node: ast.AST) -> bool:
    return any(
        ast.unparse(each).endswith("overload") for each in getattr(node, "decorator_list", ())
    )


def test_the_store_exports_what_it_says() -> None:
    """eventstore.__all__ names what is there, sorted, and every public type it gives out."""
    names = list(eventstore.__all__)
    assert [name for name in names if not hasattr(eventstore, name)] == []
    assert len(names) == len(set(names))
    imported = {
        alias.asname or alias.name
        for node in ast.parse((ROOT / "eventstore/__init__.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    public = {name for name in imported if name[0].isupper()}
    assert public - set(names) <= {"Codec"}  # the backend's own


@pytest.mark.parametrize("package", ["projections", "connector"])
def test_outsiders_use_the_stores_public_names(package: str) -> None:
    """What is neither in eventstore itself nor in its types is the store's own business."""
    inside = [
        line
        for line in forbidden(package, "eventstore")
        if re.search(r" eventstore(\.types)?(\.\w+)?$", line) is None
    ]
    assert inside == []


def our_files() -> Iterator[Path]:
    """Every file that we wrote."""
    for name in (*PACKAGES, "tests", "ops", ".ci"):
        found = (ROOT / name).rglob("*")
        yield from (path for path in found if path.is_file() and "__pycache__" not in path.parts)
    for name in ("README.md", "CHANGELOG.md", "Makefile", "pyproject.toml", "constraints.txt"):
        yield ROOT / name


def test_nothing_names_a_place_outside_the_repository() -> None:
    """No file refers to what is not in the repository: temporary folders, neighbours, a home."""
    places = re.compile(r"/tmp\b|\.\./shared|/work/|/home/")
    exempt = {ROOT / ".ci" / "run", Path(__file__)}
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in our_files()
        if path not in exempt
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), 1
        )
        if places.search(line)
    ]
    assert found == []
