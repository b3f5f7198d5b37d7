"""How fast the bridge is: ratios and latencies, taken in one run on one machine. See docs/performance.md."""
