"""Measurements; each prints figures that docs/performance.md quotes with the command that makes them."""
