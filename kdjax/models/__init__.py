"""One file for each family. A network is named `<file>.<function>`, as in `six_conv.student`.

Each public function takes `classes` and `dropout` and returns a Flax module that maps
`[b, h, w, c]` to `(logits, features)`. Pre-activation maps end in `_pre`.
"""
