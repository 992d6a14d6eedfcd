"""Question: how many frames of a video should a clip have, each row with the same budget on the same videos?

Command:  python benchmarks/table3.py DATA OUT [--minutes M] [--device cuda]   (the same command goes on)
Time:     as of table1.py, for six rows.
Expected: the rows of the paper's Table 3, and one whose spans are powers of two. Differences are smaller than those
          between methods: look at the intervals before anything else.

The ablations of `stylegan-v ablations` on top of the `small` preset; comparison.py says what the budget is.

Writes for each set table3-SET as JSON, a sheet of samples, and a plot of FVD against cost.
"""

from __future__ import annotations

from comparison import Row, main

from stylegan_v.training import ablations

BASELINE = "frames-3"


def rows() -> list[Row]:
    """The ablations of the table."""
    return [Row(row.name, row.row, row.changes) for row in ablations.ablations(3)]


if __name__ == "__main__":
    main("table3", __doc__, rows(), BASELINE)
