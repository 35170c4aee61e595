"""Data sets that are not from TFDS, one file each, with a function `read(request)`.

`kdjax.data.sources.<name>.read` takes a `Request` and returns `DataSet`.
"""
