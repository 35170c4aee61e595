"""Figures of predictions: pure functions of NumPy arrays, one file for each kind of problem.

All compute in float64. `n` examples, `k` classes or attributes.
"""
