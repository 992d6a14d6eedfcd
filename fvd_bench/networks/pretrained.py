"""Models of transformers, with tensors of ours in them and the proof that all of these arrived."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from fvd_bench.errors import WeightsError
from fvd_bench.networks.token_arithmetic import steady
from fvd_bench.packages import needed_for
from fvd_bench.words import listed

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

_SHOWN = 2
"""How many tensors an error names."""


def pretrained(
    model: type[PreTrainedModel],
    config: PretrainedConfig,
    tensors: Mapping[str, NDArray[np.float32]],
    *,
    without: tuple[str, ...] = (),
) -> PreTrainedModel:
    """Return a model of transformers with these tensors, its layers replaced by those of `token_arithmetic`.

    tensors: by the names that the files on the hub have; transformers translates them to those of its own version.
    without: what the names of parameters begin with that need no tensor, since the features do not depend on them.
    Raises WeightsError, naming the tensors, where transformers did not take every one of them, or takes another one.
    Some of its releases left the biases of VideoMAE out, and said so in a report alone.
    """
    given = {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
    wanted = {name: _value(tensor) for name, tensor in given.items()}  # before anything could be written to them
    with _silence():
        loaded, report = model.from_pretrained(
            None,
            config=config,
            state_dict=given,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            attn_implementation="sdpa",
            dtype=torch.float32,
        )
    missing = sorted(name for name in report["missing_keys"] if not name.startswith(without))
    lost = sorted(set(report["unexpected_keys"]) | {name for name, *_ in report["mismatched_keys"]})
    values = {_value(tensor) for tensor in loaded.state_dict().values()}
    lost += [name for name, value in wanted.items() if name not in lost and value not in values]
    if missing or lost:
        import transformers

        sentences = [f"did not take {listed(lost, _SHOWN)}"] if lost else []
        sentences += [f"has no tensor for {listed(missing, _SHOWN)}"] if missing else []
        raise WeightsError(
            f"transformers {transformers.__version__} {' and '.join(sentences)}, so its {model.__name__} is not the "
            "network that was trained; install another release of transformers"
        )
    steady(loaded)
    return loaded.eval()


def transformers_needed(network: str) -> contextlib.AbstractContextManager[None]:
    """Return the context to import transformers in, which says what to install where it is absent."""
    return needed_for(f"features of {network}", "fvd-bench[networks]")


def _value(tensor: torch.Tensor) -> tuple[int, float, float]:
    """Return what tells a tensor from others, whatever its shape: its values are too many to compare."""
    values = tensor.detach().to(torch.float64).flatten()
    return len(values), float(values.sum()), float(values.square().sum())


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Suppress the progress bars and reports of transformers, which has settings for all of a program."""
    from transformers.utils import logging

    level, shows = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shows:
            logging.enable_progress_bar()
