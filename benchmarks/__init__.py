"""Speed, as ratios taken side by side in one run: ``make bench`` writes ``benchmarks/results/``."""
