"""One file for each data set: `kdjax.data.sources.<name>.read(request)` returns a `Raw`."""
