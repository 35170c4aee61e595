"""Weight files of other frameworks: their tensors, names and preprocessing."""
