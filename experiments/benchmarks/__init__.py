"""Measurements of time, each recorded under `experiments/results/` with its command."""
