"""The thin ResNets, where their tensors have torchvision's or transformers' names."""

from kdjax.interchange.weights.names.resnet import DIALECTS, HEAD

__all__ = ["DIALECTS", "HEAD"]
