"""Imports point one way: a module imports only from layers below its own."""

import ast
from pathlib import Path

LAYERS = [
    {"errors", "version", "resample"},
    {"rules"},
    {"protocol", "sampling", "weight_files"},
    {"video", "weight_index", "stats", "zoo"},
    {"motion"},
    {"weights", "preprocess", "sources", "result"},
    {"clips", "frechet", "frame_metrics", "kernel", "manifold", "prefetch"},
    {"metrics", "influence"},
    {"extractors.i3d_network"},
    {"extractors"},
    {"extractors.i3d", "extractors.inception", "extractors.pixels", "cache", "fingerprint", "goldens"},
    {"batches", "environment"},
    {"extraction"},
    {"motion_panel", "motion_scale", "uncertainty"},
    {"findings"},
    {"scoring"},
    {"evaluation"},
    {"audit", "plan", "selftest", "verification", "kept", "comparability"},
    {"gate"},
    {"report"},
    {"audit_tables", "demo"},
    {"html_report", "gate_tables"},
    {"cli.streams", "cli.options"},
    {"cli.table4", "cli.gate", "cli.compute", "cli.demo", "cli.protocols", "cli.selftest", "cli.weights"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
PACKAGE = Path(__file__).parents[1] / "fvd_bench"


def _imports(file: Path) -> set[str]:
    """Modules of the package that a file imports, inside functions too; blocks for type checkers left out."""
    found: set[str] = set()
    tree = ast.parse(file.read_text("utf-8"))
    for block in ast.walk(tree):
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING":
            block.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "fvd_bench":
            base = node.module.partition(".")[2]
            for alias in node.names:
                name = f"{base}.{alias.name}".strip(".")
                found.add(name if name in LEVEL else base)
        assert not (isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("stylegan_v")), file
    return found - {""}


def test_imports_point_one_way() -> None:
    wrong = []
    for file in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        if name == "__init__":
            continue
        assert name in LEVEL, f"{name} has no layer yet"
        wrong += [f"{name} imports {other}" for other in _imports(file) if LEVEL[other] >= LEVEL[name]]

    assert wrong == []


def test_no_file_is_too_long() -> None:
    long = {f.name: n for f in PACKAGE.rglob("*.py") if (n := len(f.read_text("utf-8").splitlines())) > 400}

    assert long == {}
