"""CelebA, 202,599 aligned faces of 178x218 with 40 attributes each."""

from kdjax.data import tfds_source
from kdjax.data.sources import attributes

TFDS = "celeb_a"
read = tfds_source.reader(TFDS, own=attributes.read)
