"""The cache of the Hugging Face hub, where every library that fetches from the hub keeps its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fvd_bench.errors import WeightsError
from fvd_bench.packages import needed_for
from fvd_bench.settings import is_offline


@dataclass(frozen=True)
class HubFile:
    """A file on the hub.

    repository: OWNER/NAME. files: the names that the file may have there, the one to take first.
    """

    repository: str
    files: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.repository} on the Hugging Face hub"


def cached(hub: HubFile) -> Path | None:
    """Return the file in the hub's cache, None where it is not there. No network is asked."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    found = (try_to_load_from_cache(hub.repository, name) for name in hub.files)
    return next((Path(file) for file in found if isinstance(file, str)), None)


def fetch(hub: HubFile) -> Path:
    """Fetch the file into the hub's cache. FVD_BENCH_OFFLINE and HF_HUB_OFFLINE forbid the network.

    Raises WeightsError where the hub may not be asked, cannot be reached, or does not give the file.
    """
    if is_offline():
        raise WeightsError("not asked, FVD_BENCH_OFFLINE is set")
    with needed_for("weights from the Hugging Face hub", "huggingface_hub", raising=WeightsError):
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    for name in hub.files:
        try:
            return Path(hf_hub_download(hub.repository, name))
        except LocalEntryNotFoundError as error:
            raise WeightsError(_first_line(error)) from error
        except EntryNotFoundError:
            continue
        except (HfHubHTTPError, OSError, ValueError) as error:
            raise WeightsError(_first_line(error)) from error
    raise WeightsError(f"has no {' and no '.join(hub.files)}")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
