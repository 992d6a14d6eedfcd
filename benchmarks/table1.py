"""Question: how do StyleGAN-V and what its paper compares it with do, each with the same budget on the same videos?

Command:  python benchmarks/table1.py DATA OUT [--minutes M] [--device cuda]   (the same command goes on)
Time:     for either of two sets, M minutes for each method, of a processor or of a GPU, 60 unless; and the scores, some
          minutes for each on 2 cores.
Expected: on moving shapes every method is far above what other shapes of the same generator score, which is the right
          answer; those that have learned anything have grounds and colours on the sheet. Image StyleGAN2 has no motion,
          as its motion panel says. The order of the paper's Table 1 need not come out: other videos, and minutes where
          the paper has days.

The paper's Tables 1 and 6 and Figures 3 and 7 on videos that are at hand: the `small` preset of each method, the
average generator at the end of the budget. comparison.py says what the budget is and what is kept.

Writes for each set table1-SET as JSON, a sheet of samples, and a plot of FVD against cost.
"""

from __future__ import annotations

from comparison import Row, main

from stylegan_v.baselines import registry

BASELINE = "stylegan2"


def rows() -> list[Row]:
    """Every method, the baseline first, so that costs are known from the first one on."""
    names = sorted(registry.MODULES, key=lambda name: name != BASELINE)
    return [Row(name, name, {"model": {"method": name}}) for name in names]


if __name__ == "__main__":
    main("table1", __doc__, rows(), BASELINE)
