"""A run on disk: workdir, checkpoints (Orbax), the metrics log, results."""
