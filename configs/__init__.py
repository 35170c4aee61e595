"""One file for each method; `base.py` has every key that there is, `datasets.py` the data sets."""
