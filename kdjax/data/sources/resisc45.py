"""NWPU-RESISC45, 31,500 aerial images of 256x256 in 45 classes; no test part."""

from kdjax.data import tfds_source
from kdjax.data.sources import folder

TFDS = "resisc45"
read = tfds_source.reader(TFDS, own=folder.read)
