"""Benchmarks. docs/performance.md quotes their figures, each with the command that reproduces it."""
