"""CIFAR-10, 50,000 + 10,000 colour images of 32x32 in 10 classes, through its TFDS builder."""

from functools import partial

from kdjax.data import tfds_source

read = partial(tfds_source.read, "cifar10")
