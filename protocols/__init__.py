"""The protocols that ship with fvd-bench: one TOML file each, read through `fvd_bench.protocols`."""
