"""Where the program fvd-bench starts, which `python -m fvd_bench` is too."""

from fvd_bench.interruption import ended_in_a_line


def main() -> None:
    """Run the command that the arguments of this process name."""
    with ended_in_a_line("fvd-bench"):
        from fvd_bench.cli import main as run
    run()


if __name__ == "__main__":
    main()
