"""Benchmarks: `python -m bench` runs all parts, `python -m bench PART` one of them."""
