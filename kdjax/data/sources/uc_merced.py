"""UC Merced Land Use, 2,100 aerial images of 256x256 in 21 classes; no test part."""

from kdjax.data import tfds_source
from kdjax.data.sources import folder

TFDS = "uc_merced"
read = tfds_source.reader(TFDS, own=folder.read)
