"""All methods by name. A method is loaded when it is asked for, since most of them load torch."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stylegan_v.errors import ConfigError

if TYPE_CHECKING:
    from stylegan_v.methods.method import Method
    from stylegan_v.networks.video_generator import Config

DEFAULT = "stylegan-v"

MODULES: Mapping[str, str] = {
    DEFAULT: "stylegan_v.methods.stylegan_v",
    "stylegan2": "stylegan_v.baselines.stylegan2",
    "mocogan": "stylegan_v.baselines.mocogan",
    "mocogan-sg2": "stylegan_v.baselines.mocogan_sg2",
    "digan": "stylegan_v.baselines.digan",
    "videogpt": "stylegan_v.baselines.videogpt",
    "mocogan-hd": "stylegan_v.baselines.mocogan_hd",
}
"""Name -> the module whose METHOD it is: what the paper's Table 1 compares."""

VARIANTS: Mapping[str, str] = {
    "lstm-codes": "stylegan_v.baselines.lstm_codes",
    "without-our-generator": "stylegan_v.baselines.without_our_generator",
    "without-our-discriminator": "stylegan_v.baselines.without_our_discriminator",
}
"""The same of StyleGAN-V with a part replaced, of the paper's Table 2: see ablations.py."""


def method(name: object) -> Method:
    """Return a method by name. Raises ConfigError, with what may have been meant."""
    modules = {**MODULES, **VARIANTS}
    if not isinstance(name, str) or name not in modules:
        close = difflib.get_close_matches(str(name), modules, n=2)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise ConfigError(f"there is no method {name!r}; {hint}the methods are {', '.join(MODULES)}")
    found: Method = importlib.import_module(modules[name]).METHOD
    return found


def read_model(values: Mapping[str, Any]) -> Config:
    """Return the config that a checkpoint or a run file holds, of the method that it names. Raises ConfigError.

    Files from before there were other methods name none: they are StyleGAN-V's, and its files are still written so.
    """
    sizes = {name: value for name, value in values.items() if name != "method"}
    return method(values.get("method", DEFAULT)).read(sizes)


def describe(config: Config) -> dict[str, Any]:
    """Return plain values: sizes of a model, the parameters of its networks, and what its generator can make.

    The method, the longest video (None for no limit) and what is made token by token are left out for StyleGAN-V.
    """
    import torch

    chosen = method(config.method)
    with torch.device("meta"):
        generator: Any = chosen.makers()["generator"](config)
    abilities = {"longest": generator.longest, "recurrent": generator.recurrent}
    of_others = {} if chosen.name == DEFAULT else {"method": chosen.name, **abilities}
    sizes = {name: getattr(config, name) for name in ("preset", "resolution", "frames")}
    return {**of_others, **sizes, "classes": config.num_classes, **chosen.parameters(config)}
