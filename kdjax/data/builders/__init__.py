"""TFDS builders of our own, for data sets that TFDS lacks; importing them makes TFDS find them."""

from kdjax.data.builders.aid import Aid

__all__ = ["Aid"]
