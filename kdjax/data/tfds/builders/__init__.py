"""TFDS builders for data sets that TFDS lacks, one file each. Importing a file registers it."""
