"""One file for each data set: `kdjax.data.sources.<name>.read(request)` returns a `Raw`.

`TFDS`, where a file has it, is the name under which TFDS prepares the data set.
"""
