"""TFDS builders of our own, one file for each data set that TFDS lacks: importing it is enough."""
