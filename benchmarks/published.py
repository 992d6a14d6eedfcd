"""Question: are the published numbers reproduced here?

Command:  python benchmarks/published.py
Time:     2 minutes on 2 cores.
Expected: all of them; it is what `fvd-bench selftest --full` checks.
"""

from __future__ import annotations

from dataclasses import asdict

from machine import write

from fvd_bench.evaluation import selftest


def main() -> None:
    checks = selftest.run(full=True, device="cpu")
    passed = sum(check.ok for check in checks)
    print(f"{passed} of {len(checks)}")
    rows = [{**asdict(check), "ok": check.ok} for check in checks]
    write("published", __doc__, {"passed": passed, "checks": rows})


if __name__ == "__main__":
    main()
