"""The paired protocols that ship with fvd-bench, read through `fvd_bench.protocols.paired`."""
