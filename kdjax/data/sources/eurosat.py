"""EuroSAT, 27,000 satellite images of 64x64 in 10 classes (red, green, blue); no test part."""

from kdjax.data import tfds_source
from kdjax.data.sources import folder

TFDS = "eurosat"
read = tfds_source.reader(TFDS, own=folder.read)
