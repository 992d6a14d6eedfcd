"""The rooms of both packages: imports point one way, and go through what a room says others may use."""

import ast
import functools
import graphlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {"fvd_bench": ROOT / "fvd_bench", "stylegan_v": ROOT / "model" / "stylegan_v"}
ROOMS = {
    "fvd_bench": (
        "protocols videos sources networks features metrics inspection evaluation paired reports integrations cli"
    ).split(),
    "stylegan_v": "networks data methods baselines checkpoints sampling training studies cli".split(),
}
"""Each imports only from those before it, and from the modules that stand beside the rooms."""


SHOWS_ITSELF = ("fvd_bench", "evaluation.result", "reports.card")
"""The one import to the right: notebooks ask a result for HTML by a method, and what draws it is imported then."""


@functools.cache
def _modules(package: str) -> dict[str, Path]:
    """Name below the package -> file. A room's own name is that of its __init__."""
    folder = FOLDERS[package]
    names = {".".join(f.relative_to(folder).with_suffix("").parts): f for f in sorted(folder.rglob("*.py"))}
    return {name.removesuffix(".__init__"): file for name, file in names.items() if name != "__init__"}


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All that is in a node but expressions, which import nothing; blocks for type checkers left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            child.body = []
        if not isinstance(child, ast.expr):
            yield child
            yield from _statements(child)


def _imports(file: Path, package: str) -> set[str]:
    """Modules of its package that a file imports, inside functions too; blocks for type checkers left out."""
    modules, found = _modules(package), set[str]()
    for node in _statements(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == package:
            base = node.module.partition(".")[2]
            names = (f"{base}.{alias.name}".strip(".") for alias in node.names)
            found |= {name if name in modules else base for name in names}
    return found - {""}


def _place(module: str, package: str) -> int:
    """Of a module's room in the order, 0 for what stands beside the rooms and a last one for what starts programs."""
    room = module.split(".")[0]
    if room == "__main__":
        return len(ROOMS[package]) + 1
    return ROOMS[package].index(room) + 1 if room in ROOMS[package] else 0


@pytest.fixture(scope="module")
def edges() -> list[tuple[str, str, str]]:
    """Package, module, and another module of the package that it imports."""
    return [
        (package, module, other)
        for package in FOLDERS
        for module, file in _modules(package).items()
        for other in sorted(_imports(file, package))
        if (package, module, other) != SHOWS_ITSELF
    ]


def test_every_folder_is_a_room() -> None:
    folders = {p: {f.parent.name for f in folder.glob("*/__init__.py")} for p, folder in FOLDERS.items()}

    assert folders == {package: set(rooms) for package, rooms in ROOMS.items()}


def test_imports_point_one_way(edges) -> None:
    wrong = [f"{a} imports {b}" for package, a, b in edges if _place(b, package) > _place(a, package)]

    assert wrong == []


def test_rooms_are_entered_by_what_they_say_others_may_use(edges) -> None:
    wrong = []
    for package, module, other in edges:
        room, _, inside = other.partition(".")
        if inside and module.split(".")[0] != room and room in ROOMS[package]:
            face = importlib.import_module(f"{package}.{room}").__all__
            wrong += [f"{module} imports {other}"] if inside.split(".")[0] not in face else []

    assert wrong == []


def test_a_room_says_only_what_it_has() -> None:
    for package, rooms in ROOMS.items():
        for room in rooms:
            module = importlib.import_module(f"{package}.{room}")
            for name in module.__all__:
                inside = f"{room}.{name}"
                assert inside in _modules(package) or hasattr(module, name), f"{room} has no {name}"
                if inside in _modules(package) and hasattr(module, name):  # else it is not loaded
                    assert getattr(module, name) is sys.modules[f"{package}.{inside}"], f"{name} of {room} is another"


@pytest.mark.parametrize("package", FOLDERS)
def test_no_imports_go_in_circles(edges, package: str) -> None:
    graph: dict[str, set[str]] = {}
    for of, module, other in edges:
        if of == package and other != module.split(".")[0]:  # a room's own face
            graph.setdefault(module, set()).add(other)

    graphlib.TopologicalSorter(graph).prepare()


def test_the_toolkit_knows_no_model() -> None:
    knowing = [f for f in FOLDERS["fvd_bench"].rglob("*.py") if "stylegan_v" in f.read_text("utf-8")]

    assert knowing == []


@pytest.mark.parametrize("package", FOLDERS)
def test_no_file_is_too_long(package: str) -> None:
    files = FOLDERS[package].rglob("*.py")
    long = {f.name: n for f in files if (n := len(f.read_text("utf-8").splitlines())) > 400}

    assert long == {}
