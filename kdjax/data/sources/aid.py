"""AID, 10,000 aerial images of 600x600 in 30 classes; no test part. TFDS has none: our builder."""

from kdjax.data import tfds_source
from kdjax.data.sources import folder

TFDS = "aid"
read = tfds_source.reader(TFDS, own=folder.read)
