"""Imports point one way: a module imports only from layers below its own."""

import ast
from pathlib import Path

import pytest

FVD_BENCH = [
    {"errors", "version", "resample", "unpickling", "limits", "messages", "frame_index", "header", "alpha"},
    {"random_stream", "processors", "system", "escapes", "records", "packages"},
    {"frame_names", "intervals", "orientation", "meter"},
    {"faults", "rules", "together", "files"},
    {"protocol", "sampling", "weight_files", "atomic"},
    {"video", "weight_index", "stats", "zoo"},
    {"moments", "motion", "members", "usercode", "decoder", "image_file", "video_frame"},
    {"decoders", "animation", "header_reader"},
    {"video_file", "frame_folder", "video_stream"},
    {"weights", "preprocess", "result", "archives", "scratch", "listing", "probe", "decoding"},
    {"examine", "settings"},
    {"arrays", "tars"},
    {"tensors", "hdf5", "index_sets", "shards"},
    {"array_files", "generators", "spool"},
    {"array_folder"},
    {"sources"},
    {"foreign_stats"},
    {"clips", "frechet", "frame_metrics", "kernel", "manifold", "prefetch"},
    {"metrics", "influence", "contents", "chance"},
    {"doctor"},
    {"doctor_tables"},
    {"extractors.arithmetic"},
    {"extractors.i3d_network"},
    {"extractors"},
    {"extractors.i3d", "extractors.inception", "extractors.pixels", "cache", "fingerprint", "goldens"},
    {"batches", "environment"},
    {"extraction", "stats_file"},
    {"stats_source"},
    {"motion_panel", "motion_scale", "uncertainty"},
    {"findings", "glance", "extrapolation", "dependence"},
    {"scoring"},
    {"evaluation", "gathered"},
    {"training", "precomputed", "audit", "plan", "selftest", "verification", "kept", "comparability", "manifest"},
    {"gate", "replay"},
    {"report"},
    {"audit_tables", "demo"},
    {"html_report", "gate_tables"},
    {"cli.terminal", "cli.options"},
    {"cli.streams"},
    {
        "cli.table4",
        "cli.gate",
        "cli.compute",
        "cli.demo",
        "cli.inspect",
        "cli.protocols",
        "cli.selftest",
        "cli.stats",
        "cli.weights",
    },
    {"cli"},
    {"__main__"},
]
STYLEGAN_V = [
    {"errors", "activation", "convolution", "loss", "noise", "pixels", "names", "ahead"},
    {"fir"},
    {"layers"},
    {"distributed", "journal", "config", "timing", "draws", "adaptive", "labels", "crops", "exports"},
    {"warp", "motion", "data", "prepared", "run"},
    {"generator", "discriminator", "prepare", "augment", "preloaded", "recorded"},
    {"checkpoint", "sample", "info"},
    {"trainer", "sheets", "evaluate", "official", "pieces"},
    {"generation", "snapshots"},
    {"session"},
    {"train"},
    {"cli.data", "cli.evaluate", "cli.generate", "cli.importing", "cli.info", "cli.state", "cli.train"},
    {"cli"},
    {"__main__"},
]
ROOT = Path(__file__).parents[1]
FOLDERS = {"fvd_bench": ROOT / "fvd_bench", "stylegan_v": ROOT / "model" / "stylegan_v"}
LEVELS = {
    package: {name: level for level, names in enumerate(layers) for name in names}
    for package, layers in (("fvd_bench", FVD_BENCH), ("stylegan_v", STYLEGAN_V))
}


def _imports(file: Path, package: str) -> set[str]:
    """Modules of its package that a file imports, inside functions too; blocks for type checkers left out."""
    found: set[str] = set()
    tree = ast.parse(file.read_text("utf-8"))
    for block in ast.walk(tree):
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING":
            block.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == package:
            base = node.module.partition(".")[2]
            for alias in node.names:
                name = f"{base}.{alias.name}".strip(".")
                found.add(name if name in LEVELS[package] else base)
    return found - {""}


@pytest.mark.parametrize("package", FOLDERS)
def test_imports_point_one_way(package: str) -> None:
    levels, wrong = LEVELS[package], []
    for file in sorted(FOLDERS[package].rglob("*.py")):
        name = ".".join(file.relative_to(FOLDERS[package]).with_suffix("").parts).removesuffix(".__init__")
        if name == "__init__":
            continue
        assert name in levels, f"{name} has no layer yet"
        wrong += [f"{name} imports {other}" for other in _imports(file, package) if levels[other] >= levels[name]]

    assert wrong == []


def test_the_toolkit_knows_no_model() -> None:
    knowing = [f for f in FOLDERS["fvd_bench"].rglob("*.py") if "stylegan_v" in f.read_text("utf-8")]

    assert knowing == []


@pytest.mark.parametrize("package", FOLDERS)
def test_no_file_is_too_long(package: str) -> None:
    files = FOLDERS[package].rglob("*.py")
    long = {f.name: n for f in files if (n := len(f.read_text("utf-8").splitlines())) > 400}

    assert long == {}
