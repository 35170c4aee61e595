"""Data sets as arrays in memory: sources, decoding and caching, splits, orders. No JAX here."""
