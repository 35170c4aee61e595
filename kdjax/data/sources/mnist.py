"""MNIST, 60,000 + 10,000 handwritten digits, through its TFDS builder."""

from functools import partial

from kdjax.data import tfds_source

read = partial(tfds_source.read, "mnist")
