"""Model families, one file each, and in folders the layers and adapters that they share.

A network is named `<file>.<function>`, as in `six_conv.student`. Each public function, often a
`functools.partial` of a module, takes `classes` and `dropout` and returns a Flax module that maps
`[b, h, w, c]` to `(logits, features)`. `features` is a dict of named activations; names of maps
before their ReLU end in `_pre`. With 0 classes a network has no head and its logits are `[b, 0]`.
"""
