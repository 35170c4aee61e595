"""Pure formulas on arrays: no networks, no state, no reduction over the batch."""
