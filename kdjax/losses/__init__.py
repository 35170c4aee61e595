"""Pure formulas on arrays: no networks, no state, no reduction over the batch.

No loss stops a gradient: where a teacher is not trained by a loss, the caller stops its gradient.
"""
