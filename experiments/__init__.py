"""Scripts that measure. Their records are in `results/`; `--results` says where new ones go."""
