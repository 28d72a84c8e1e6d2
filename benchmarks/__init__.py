"""Timings: each prints ratios within one run."""
