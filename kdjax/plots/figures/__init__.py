"""One file for each figure of a report, found by its name: nothing to register.

A file has `ORDER`, its place in a report from the top, and yields `Section`s from `of_runs(runs)`,
for figures of all runs, from `of_run(run)`, for figures of each run, or from both. Its `draw` takes
plain data and returns a matplotlib Figure, or None where there is nothing to draw.

The **record** of a run holds its measures, as JSON does. Shares are in [0, 1]; `null` was not
measured:

    {"workdir", "method", "dataset", "seed", "split", "examples": how many, "device",
     "class_names": [...], "multi_label": bool, "teacher": a network's name or null,
     "networks": {ROW: {
        "network", "stage", "step", "accuracy", "loss": nats, "top5_accuracy", "precision",
        "recall", "f1", "calibration_error", "without_prediction": how many have NaN logits,
        "confusion": [[counts]], a row a true class,
        "classes": {name: {"precision", "recall", "f1", "support"}},
        "reliability": {"error", "confidence": [one a bin], "accuracy": [...], "count": [...]},
        "teacher": {"kl": nats, "agreement", "logit_cosine", "cosine", "cka"},
        "cost": {"parameters", "megabytes", "of_teacher", "latency_median": ms,
                 "latency_p90": ms, "throughput": images/s, "throughput_batch"}}},
     "agreement": {"networks": [ROW, ...], "matrix": [[shares]]}}

ROW is a network's name, or "<name> after <stage>" for a network as an earlier stage left it.
Multi-label records have no `confusion`; they have "attributes" in place of "classes", and
"attribute_shares": {name: share of the examples that have it}. A row that is a mean over the seeds
of a sweep's setting has "seeds": how many, "steps": [one a seed] and "deviation" of their
accuracies, and no `confusion` or `reliability`.
"""
