"""python -m fvd_bench"""

from fvd_bench.cli import main

main()
