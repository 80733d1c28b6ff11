"""Benchmarks: a benchmark and a variant become a result file, result files become figures."""
