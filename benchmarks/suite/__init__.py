"""Benchmarks of molkern over its history (asv). Inputs are seeded; no data file is needed."""
