"""Data sets as arrays: sources, decoding, the cache on disk, splits and orders. No JAX here."""
