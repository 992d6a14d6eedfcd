"""Where the program stylegan-v starts, which `python -m stylegan_v` is too."""

from fvd_bench.interruption import ended_in_a_line


def main() -> None:
    """Entry point of stylegan-v."""
    with ended_in_a_line("stylegan-v"):
        from stylegan_v.cli import main as run
    run()


if __name__ == "__main__":
    main()
