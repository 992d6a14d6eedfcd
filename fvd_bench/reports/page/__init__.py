"""Pages: one HTML file for a result, with its clips and charts inside, that needs nothing else."""

from fvd_bench.reports.page.of_checkup import checkup_page
from fvd_bench.reports.page.of_comparison import comparison_page
from fvd_bench.reports.page.of_curves import curves_page
from fvd_bench.reports.page.of_explain import explain_page
from fvd_bench.reports.page.of_paired import paired_page
from fvd_bench.reports.page.of_ranking import ranking_page
from fvd_bench.reports.page.of_result import result_page
from fvd_bench.reports.page.of_table4 import table4_page
from fvd_bench.reports.page.page import Made, Page

__all__ = [
    "Made",
    "Page",
    "checkup_page",
    "comparison_page",
    "curves_page",
    "explain_page",
    "paired_page",
    "ranking_page",
    "result_page",
    "table4_page",
]
