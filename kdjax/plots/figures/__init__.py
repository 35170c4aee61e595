"""Figures of runs: plain data in, a matplotlib Figure out; `style.save` writes it.

A **record** says what one run reached, as JSON holds it. Shares are in [0, 1], `null` is what was
not measured:

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

ROW is a network's name, or "<name> after <stage>" for what an earlier stage left of a network that
several stages train. Multi-label records have no `confusion`; they have "attributes" in place of
"classes", and "attribute_shares": {name: share of the examples that have it}. A row that is a mean
over the seeds of a sweep's setting has "seeds": how many, "steps": [one a seed] and "deviation" of
their accuracies, and no `confusion` or `reliability`.
"""
