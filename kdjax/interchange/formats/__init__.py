"""The formats of exported files, found by their names.

A module has `SUFFIX`; `PACKAGES`, what it imports beside kdjax's own requirements; `RUNS_IN`, what
runs its files, for tables; `encode(loaded, features)`, which returns the bytes of a file; and
`read(path)`, which returns an `ExportedFile`.
"""
