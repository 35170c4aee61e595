"""Evaluation of a run's networks: measures, cost, statistics, tables."""
