"""The import graph: what runs on a device never imports what makes a bundle.

``export/``, ``training/``, ``calibration/`` and ``targets/`` make bundles on a workstation, in that
order. All of ``trm_edge/`` but four commands works without them, and no two packages import each
other in a ring.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "trm_edge": ROOT / "trm_edge",
    "trm_edge.export": ROOT / "export",
    "trm_edge.calibration": ROOT / "calibration",
    "trm_edge.targets": ROOT / "targets",
    "trm_edge.training": ROOT / "training",
}
WORKSTATION = (
    "trm_edge.export",
    "trm_edge.training",
    "trm_edge.calibration",
    "trm_edge.targets",
)
# The commands that make bundles; they import these folders when they are called.
GATES = {"trm_edge.cli.adapt", "trm_edge.cli.config", "trm_edge.cli.export", "trm_edge.cli.targets"}


def modules() -> dict[str, Path]:
    """Every module of the product by its import name."""
    paths = {}
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            if package == "trm_edge" and f"trm_edge.{parts[0]}" in WORKSTATION:
                continue  # reached by its link
            if parts[-1] == "__init__":
                parts = parts[:-1]
            paths[".".join((package, *parts))] = path
    return paths


MODULES = modules()


def is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def statements(body: list[ast.stmt], *, lazy: bool) -> Iterator[ast.stmt]:
    """Statements that run at import, or with ``lazy`` all there are, inside functions too."""
    for node in body:
        if lazy:
            yield from (child for child in ast.walk(node) if isinstance(child, ast.stmt))
        elif not is_type_checking(node):
            yield node
            for name in ("body", "orelse", "finalbody"):
                inner = getattr(node, name, [])
                if inner and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield from statements(inner, lazy=False)


def imports_of(name: str, *, lazy: bool) -> set[str]:
    """Modules of the product that a module imports."""
    imported: set[str] = set()
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    for node in statements(tree.body, lazy=lazy):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                member = f"{node.module}.{alias.name}"
                imported.add(member if member in MODULES else node.module)
    return {module for module in imported if module.split(".")[0] == "trm_edge"}


def package_of(module: str) -> str:
    """The folder of a module; a module directly in trm_edge/ stands for itself."""
    parts = module.split(".")
    return ".".join(parts[:2])


def side_of(module: str) -> str:
    """The workstation folder that a module is in, or trm_edge."""
    package = package_of(module)
    return package if package in WORKSTATION else "trm_edge"


@pytest.mark.parametrize("name", sorted(set(MODULES) - GATES))
def test_the_device_side_never_imports_the_workstation_side(name: str) -> None:
    if side_of(name) == "trm_edge":
        beyond = {module for module in imports_of(name, lazy=True) if side_of(module) != "trm_edge"}
        assert not beyond


def test_the_gates_are_commands_and_import_lazily() -> None:
    for name in GATES:
        at_import = {side_of(module) for module in imports_of(name, lazy=False)}
        assert at_import <= {"trm_edge", "trm_edge.targets"}
        assert any(side_of(module) != "trm_edge" for module in imports_of(name, lazy=True))


@pytest.mark.parametrize(
    ("folder", "later"),
    [
        ("trm_edge.export", {"trm_edge.calibration", "trm_edge.targets"}),
        ("trm_edge.calibration", {"trm_edge.targets"}),
    ],
)
def test_folders_import_those_before_them_alone(folder: str, later: set[str]) -> None:
    for name in MODULES:
        if side_of(name) == folder:
            assert not {side_of(module) for module in imports_of(name, lazy=True)} & later, name


def test_no_ring_of_imports_between_packages() -> None:
    """Imports that run when a module is imported; the root of trm_edge loads lazily."""
    graph: dict[str, set[str]] = {}
    for name in MODULES:
        targets = {package_of(module) for module in imports_of(name, lazy=False)}
        edges = graph.setdefault(package_of(name), set())
        edges.update(targets - {package_of(name), "trm_edge"})
    while graph:
        leaves = [package for package, edges in graph.items() if not edges & set(graph)]
        rings = {package: sorted(edges & set(graph)) for package, edges in graph.items()}
        assert leaves, f"these packages import each other in a ring: {rings}"
        for package in leaves:
            del graph[package]


def test_every_import_is_of_a_module_that_exists() -> None:
    for name in MODULES:
        assert imports_of(name, lazy=True) <= set(MODULES), name
