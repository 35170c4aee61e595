"""CIFAR-10, 50,000 + 10,000 colour images of 32x32 in 10 classes."""

from kdjax.data import tfds_source
from kdjax.data.sources import folder

TFDS = "cifar10"
read = tfds_source.reader(TFDS, own=folder.read)
