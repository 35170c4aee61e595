"""Scripts that measure; each records its own result under `experiments/results/`."""
