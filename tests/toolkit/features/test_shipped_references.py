"""The references that ship: small, whole, licensed, and still serving the protocols that they were made for."""

import pytest

from fvd_bench.evaluation.statistics.recorded import missing_videos as missing
from fvd_bench.features.references.reference import Reference
from fvd_bench.features.references.resolving import _shipped as folder_of_shipped
from fvd_bench.features.references.zoo import Zoo
from fvd_bench.features.stats_file import StatsFile
from fvd_bench.networks import weights
from fvd_bench.protocols import protocol as protocols

FOLDER = folder_of_shipped()
SHIPPED = Zoo(FOLDER).references()


def test_nothing_but_the_manifest_and_its_files_ships() -> None:
    files = {path.name for path in FOLDER.iterdir() if path.suffix in (".json", ".npz")}

    assert SHIPPED and files == {"manifest.json", *(reference.file for reference in SHIPPED)}
    assert sum(reference.size for reference in SHIPPED) < 4e6


@pytest.mark.parametrize("reference", SHIPPED, ids=lambda reference: reference.name)
def test_a_reference_is_what_its_entry_says(reference: Reference) -> None:
    path = Zoo(FOLDER).path(reference)
    assert path is not None
    about = {name: getattr(reference, name) for name in ("name", "set", "prepared", "licence", "credit")}

    assert Reference.of(path, **about) == reference
    assert all(about.values()) and "CC BY 4.0" in reference.licence
    assert not StatsFile.read(path).path.startswith("/"), "no path of the machine that made it"


@pytest.mark.parametrize("reference", SHIPPED, ids=lambda reference: reference.name)
def test_a_reference_serves_the_protocols_of_today(reference: Reference) -> None:
    """It has to be made again when a protocol, the arithmetic of features or the pinned weights change."""
    file = StatsFile.read(FOLDER / reference.file)

    assert missing(file) == []
    assert {name: protocols.load(name).digest() for name in reference.protocols} == reference.protocols
    assert all(weights.spec_of(name).digest == digest for name, digest in reference.weights.items())
