"""How a paper says by what its scores were computed: a sentence with the protocol's digest, and the references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fvd_bench.errors import ResultError
from fvd_bench.escapes import escaped, in_latex
from fvd_bench.evaluation.comparisons.ranking import is_ranked
from fvd_bench.evaluation.result import Result
from fvd_bench.evaluation.score import Score
from fvd_bench.protocols.protocol import Protocol
from fvd_bench.reports.cells import over_splits
from fvd_bench.reports.scores import unit
from fvd_bench.version import __version__
from fvd_bench.words import number, span


@dataclass(frozen=True, slots=True)
class Reference:
    """A published work. key: of its BibTeX entry. fields: in the order in which they are written."""

    key: str
    kind: str
    fields: tuple[tuple[str, str], ...]

    def bibtex(self) -> str:
        """Return the BibTeX entry."""
        lines = [f"  {name} = {{{value}}}," for name, value in self.fields]
        return "\n".join([f"@{self.kind}{{{self.key},", *lines, "}"])


def _paper(key: str, title: str, author: str, booktitle: str, year: int) -> Reference:
    fields = (("title", title), ("author", author), ("booktitle", booktitle), ("year", str(year)))
    return Reference(key, "inproceedings", fields)


def _preprint(key: str, title: str, author: str, number: str) -> Reference:
    """Return a preprint. number: that of arXiv, whose first two digits are the year."""
    journal, year = f"arXiv preprint arXiv:{number}", f"20{number[:2]}"
    return Reference(key, "article", (("title", title), ("author", author), ("journal", journal), ("year", year)))


_SOFTWARE = Reference(
    "fvdbench",
    "software",
    (
        ("title", "{fvd-bench}: {FVD} and {FID} for video generators, with the exact protocol in every number"),
        ("author", "{The fvd-bench authors}"),
        ("version", __version__),
        ("license", "Apache-2.0"),
    ),
)
_FVD = _preprint(
    "unterthiner2018fvd", "Towards Accurate Generative Models of Video: A New Metric \\& Challenges",
    "Unterthiner, Thomas and van Steenkiste, Sjoerd and Kurach, Karol and Marinier, Raphael and Michalski, Marcin "
    "and Gelly, Sylvain", "1812.01717",
)  # fmt: skip
_I3D = _paper(
    "carreira2017i3d", "Quo Vadis, Action Recognition? A New Model and the {Kinetics} Dataset",
    "Carreira, Jo{\\~a}o and Zisserman, Andrew", "CVPR", 2017,
)  # fmt: skip
_STYLEGAN_V = _paper(
    "skorokhodov2022styleganv",
    "{StyleGAN-V}: A Continuous Video Generator with the Price, Image Quality and Perks of {StyleGAN2}",
    "Skorokhodov, Ivan and Tulyakov, Sergey and Elhoseiny, Mohamed", "CVPR", 2022,
)  # fmt: skip
_FID = _paper(
    "heusel2017fid", "{GANs} Trained by a Two Time-Scale Update Rule Converge to a Local {Nash} Equilibrium",
    "Heusel, Martin and Ramsauer, Hubert and Unterthiner, Thomas and Nessler, Bernhard and Hochreiter, Sepp",
    "NeurIPS", 2017,
)  # fmt: skip
_KERNEL = _paper(
    "binkowski2018kid", "Demystifying {MMD} {GANs}",
    "Bi{\\'n}kowski, Miko{\\l}aj and Sutherland, Danica J. and Arbel, Michael and Gretton, Arthur", "ICLR", 2018,
)  # fmt: skip
_MIND = _preprint(
    "berthet2026mind", "{MIND}: {Monge} Inception Distance for Generative Models Evaluation",
    "Berthet, Quentin and Wu, Yu-Han and Crepy, Cl{\\'e}ment and Elie, Romuald and Greff, Klaus and Sander, Michael "
    "Eli", "2605.06797",
)  # fmt: skip
_PRECISION = _paper(
    "kynkaanniemi2019precision", "Improved Precision and Recall Metric for Assessing Generative Models",
    "Kynk{\\\"a}{\\\"a}nniemi, Tuomas and Karras, Tero and Laine, Samuli and Lehtinen, Jaakko and Aila, Timo",
    "NeurIPS", 2019,
)  # fmt: skip
_DENSITY = _paper(
    "naeem2020density", "Reliable Fidelity and Diversity Metrics for Generative Models",
    "Naeem, Muhammad Ferjad and Oh, Seong Joon and Uh, Youngjung and Choi, Yunjey and Yoo, Jaejun", "ICML", 2020,
)  # fmt: skip
_INCEPTION_SCORE = _paper(
    "salimans2016is", "Improved Techniques for Training {GANs}",
    "Salimans, Tim and Goodfellow, Ian and Zaremba, Wojciech and Cheung, Vicki and Radford, Alec and Chen, Xi",
    "NeurIPS", 2016,
)  # fmt: skip

_C3D = _paper(
    "tran2015c3d", "Learning Spatiotemporal Features with {3D} Convolutional Networks",
    "Tran, Du and Bourdev, Lubomir and Fergus, Rob and Torresani, Lorenzo and Paluri, Manohar", "ICCV", 2015,
)  # fmt: skip
_TGAN = _paper(
    "saito2017tgan", "Temporal Generative Adversarial Nets with Singular Value Clipping",
    "Saito, Masaki and Matsumoto, Eiichi and Saito, Shunta", "ICCV", 2017,
)  # fmt: skip

_JEDI = _paper(
    "luo2025jedi", "Beyond {FVD}: An Enhanced Evaluation Metrics for Video Generation Distribution Quality",
    "Luo, Ge Ya and Favero, Gian Mario and Luo, Zhi Hao and Jolicoeur-Martineau, Alexia and Pal, Christopher",
    "ICLR", 2025,
)  # fmt: skip
_CMMD = _paper(
    "jayasumana2024cmmd", "Rethinking {FID}: Towards a Better Evaluation Metric for Image Generation",
    "Jayasumana, Sadeep and Ramalingam, Srikumar and Veit, Andreas and Glasner, Daniel and Chakrabarti, Ayan and "
    "Kumar, Sanjiv", "CVPR", 2024,
)  # fmt: skip
_CONTENT_BIAS = _paper(
    "ge2024content", "On the Content Bias in {Fr\\'e}chet Video Distance",
    "Ge, Songwei and Mahapatra, Aniruddha and Parmar, Gaurav and Zhu, Jun-Yan and Huang, Jia-Bin", "CVPR", 2024,
)  # fmt: skip
_DGM_EVAL = _paper(
    "stein2023exposing", "Exposing Flaws of Generative Model Evaluation Metrics and Their Unfair Treatment of "
    "Diffusion Models", "Stein, George and Cresswell, Jesse C. and Hosseinzadeh, Rasa and Sui, Yi and Ross, Brendan "
    "Leigh and Villecroze, Valentin and Liu, Zhaoyan and Caterini, Anthony L. and Taylor, J. Eric T. and "
    "Loaiza-Ganem, Gabriel", "NeurIPS", 2023,
)  # fmt: skip
_VIDEOMAE = _paper(
    "tong2022videomae", "{VideoMAE}: Masked Autoencoders are Data-Efficient Learners for Self-Supervised Video "
    "Pre-Training", "Tong, Zhan and Song, Yibing and Wang, Jue and Wang, Limin", "NeurIPS", 2022,
)  # fmt: skip
_VIDEOMAE_V2 = _paper(
    "wang2023videomaev2", "{VideoMAE V2}: Scaling Video Masked Autoencoders with Dual Masking",
    "Wang, Limin and Huang, Bingkun and Zhao, Zhiyu and Tong, Zhan and He, Yinan and Wang, Yi and Wang, Yali and "
    "Qiao, Yu", "CVPR", 2023,
)  # fmt: skip
_VJEPA = _preprint(
    "bardes2024vjepa", "Revisiting Feature Prediction for Learning Visual Representations from Video",
    "Bardes, Adrien and Garrido, Quentin and Ponce, Jean and Chen, Xinlei and Rabbat, Michael and LeCun, Yann and "
    "Assran, Mahmoud and Ballas, Nicolas", "2404.08471",
)  # fmt: skip
_VJEPA2 = _preprint(
    "assran2025vjepa2", "{V-JEPA} 2: Self-Supervised Video Models Enable Understanding, Prediction and Planning",
    "Assran, Mido and others", "2506.09985",
)  # fmt: skip
_DINOV2 = _preprint(
    "oquab2024dinov2", "{DINOv2}: Learning Robust Visual Features without Supervision",
    "Oquab, Maxime and others", "2304.07193",
)  # fmt: skip
_CLIP = _paper(
    "radford2021clip", "Learning Transferable Visual Models From Natural Language Supervision",
    "Radford, Alec and Kim, Jong Wook and Hallacy, Chris and Ramesh, Aditya and Goh, Gabriel and Agarwal, Sandhini "
    "and Sastry, Girish and Askell, Amanda and Mishkin, Pamela and Clark, Jack and Krueger, Gretchen and Sutskever, "
    "Ilya", "ICML", 2021,
)  # fmt: skip

_OF_METRICS = {
    "fvd": _FVD, "fid": _FID, "fd": _FID, "kvd": _KERNEL, "kvd-biased": _JEDI, "kid": _KERNEL, "jedi": _JEDI,
    "cmmd": _CMMD, "mind": _MIND, "precision": _PRECISION, "recall": _PRECISION, "density": _DENSITY,
    "coverage": _DENSITY, "is": _INCEPTION_SCORE,
}  # fmt: skip
"""Name of a metric -> the work that introduced it. The test of this module sees that none is missing."""

_OF_NETWORKS = {
    "i3d": (_I3D,), "c3d": (_C3D, _TGAN), "videomae-base": (_VIDEOMAE,), "videomae-v2-g": (_VIDEOMAE_V2, _CONTENT_BIAS),
    "vjepa-h": (_VJEPA,), "vjepa2-l": (_VJEPA2,), "dinov2-l": (_DINOV2, _DGM_EVAL), "clip-l14-336": (_CLIP,),
    "clip-b32": (_CLIP,),
}  # fmt: skip
"""Name of a network -> the works that it comes from, and that first compared videos or images by it."""


def citation(protocol: Protocol) -> str:
    """Return a sentence for a paper about scores of this protocol, and the BibTeX entries that it cites."""
    metrics = ", ".join(name.upper() for name in protocol.metric.names)
    works = references(protocol.metric.names, protocol.features.extractor, protocol.name)
    sentence = (
        f"We compute {metrics} with fvd-bench {__version__} under the protocol {protocol.name} (version "
        f"{protocol.version}, digest {protocol.digest()[:12]}): {protocol.summary} {_cite(works)}."
    )
    return "\n\n".join([sentence, *(work.bibtex() for work in works)])


def result_citation(results: Mapping[str, Result]) -> str:
    """Return what a paper should report of results: a sentence for each score, the same in LaTeX, and BibTeX entries.

    results: name of a generator -> result, the name empty where there is one alone. Raises ResultError where there is
    no score.
    """
    words, tex = [], []
    works: dict[Reference, None] = {}
    for name, result in results.items():
        for score in result.scores:
            if score.value is None or not is_ranked(score):
                continue
            extractor = str(result.protocols.get(score.digest, {}).get("features.extractor"))
            found = references([score.metric], extractor, score.protocol)
            works |= dict.fromkeys(found)
            said = _sentence(score, name, unit(score, result), result.fvd_bench)
            words.append(f"{said}.")
            tex.append(f"{in_latex(said)} {_cite(found)}.\n% {escaped(score.signature)}")
    if not words:
        raise ResultError("there is no score to cite")
    return "\n\n".join([*words, "In LaTeX:", *tex, *(work.bibtex() for work in works)])


def references(metrics: Sequence[str], extractor: str, protocol: str) -> Sequence[Reference]:
    """Return the works that scores rest on, each once. extractor, protocol: their names."""
    found = [_SOFTWARE, *(_OF_METRICS[name] for name in metrics if name in _OF_METRICS)]
    found += _OF_NETWORKS.get(extractor, ())
    if protocol.startswith(("stylegan-v-", "ucf101-")):
        found.append(_STYLEGAN_V)
    return list(dict.fromkeys(found))


def _sentence(score: Score, name: str, counted: str, version: str) -> str:
    """Say all of a score that others need: value, interval, floor, numbers, protocol and draws."""
    value = f"{score.metric.upper()} {number(score.value)}"
    if score.std is not None:
        value += f" ± {number(score.std)} over {len(score.values)} draws"
    known = [over_splits(score)] if score.splits else []
    known += [f"95 % interval {span(score.interval)}"] if score.interval else []
    if score.floor:
        known.append(f"floor {number(score.floor.value)}, the score of real videos against others of their kind")
    known += [f"{what} unknown: {why}" for what, why in score.unknown.items() if what in ("interval", "floor")]
    row = f", row {score.row}" if score.row else ""
    beside = f" ({'; '.join(known)})" if known else ""
    return escaped(
        f"{f'{name}: ' if name else ''}{value}{beside}, of {score.fake.counted()} fake "
        f"and {score.real.counted()} real {counted}, under the protocol {score.protocol}{row} (version "
        f"{score.protocol_version}, digest {score.digest[:12]}), by fvd-bench {version}"
    )


def _cite(works: Sequence[Reference]) -> str:
    return f"\\cite{{{', '.join(work.key for work in works)}}}"
