"""Data sets of TensorFlow Datasets (TFDS): reading them, and builders of those that TFDS lacks."""
