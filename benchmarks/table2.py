"""Question: which parts of StyleGAN-V does it need, each row with the same budget on the same videos?

Command:  python benchmarks/table2.py DATA OUT [--minutes M] [--device cuda]   (the same command goes on)
Time:     as of table1.py, for seven rows.
Expected: the rows of the paper's Table 2: a part replaced, or a condition taken away. Differences are smaller than
          those between methods: look at the intervals before anything else.

The ablations of `stylegan-v ablations` on top of the `small` preset; comparison.py says what the budget is.

Writes for each set table2-SET as JSON, a sheet of samples, and a plot of FVD against cost.
"""

from __future__ import annotations

from comparison import Row, main

from stylegan_v.training import ablations

BASELINE = "default"


def rows() -> list[Row]:
    """The ablations of the table."""
    return [Row(row.name, row.row, row.changes) for row in ablations.ablations(2)]


if __name__ == "__main__":
    main("table2", __doc__, rows(), BASELINE)
