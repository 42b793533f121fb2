"""Side-by-side measurements: every figure is a ratio of interleaved medians from one run."""
