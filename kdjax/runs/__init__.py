"""What a run has on disk: workdir, checkpoints (Orbax), the metrics log, results."""
