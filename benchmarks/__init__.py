"""Benchmarks: figures measured side by side in one run, as ratios, for machines differ and drift."""
