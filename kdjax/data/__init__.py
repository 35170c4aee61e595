"""Data sets as arrays in memory. A data set is the module here that has its name.

`kdjax.data.<name>.read(request)` returns a `Raw`; splitting is the same for all.
"""
