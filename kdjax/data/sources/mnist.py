"""MNIST, 60,000 + 10,000 handwritten digits of 28x28 in 10 classes."""

from kdjax.data import tfds_source
from kdjax.data.sources import folder

TFDS = "mnist"
read = tfds_source.reader(TFDS, own=folder.read)
