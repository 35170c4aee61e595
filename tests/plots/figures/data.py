"""Records as evaluations leave them, with made-up but plausible numbers."""

import numpy as np

LONG = [
    "teacher",
    "assistant_0",
    *(f"generation_{place}" for place in range(5)),
    "generation_0+generation_1",
    "generation_0+generation_1+generation_2",
    "student_of_a_long_chain_of_assistants",
    "label_smoothing_baseline",
    "baseline",
]
"""Twelve networks."""


def network(name, stage, step, *, classes=10, accuracy=0.98, seed=0, multi_label=False):
    """One row of a record, of 10 classes or attributes unless told."""
    rng = np.random.default_rng([seed, step, *name.encode()])
    accuracy = accuracy + rng.normal(0, 0.002)
    count = rng.integers(0, 60, 15) ** 2
    count[:3] = 0
    centre = (np.arange(15) + 0.5) / 15
    made = {
        "network": name,
        "stage": stage,
        "step": step,
        "accuracy": float(accuracy),
        "loss": float(0.06 + 2 * (0.99 - accuracy) + rng.uniform(0, 0.005)),
        "top5_accuracy": 0.999 if classes > 5 else None,
        "calibration_error": 0.012,
        "reliability": {
            "error": 0.012,
            "confidence": [float(c) if n else None for c, n in zip(centre, count, strict=True)],
            "accuracy": [
                float(min(1, max(0, c + rng.normal(0, 0.05)))) if n else None
                for c, n in zip(centre, count, strict=True)
            ],
            "count": count.tolist(),
        },
        "teacher": {
            "kl": float(0.03 + rng.uniform(0, 0.01) - step * 5e-6),
            "agreement": 0.985,
            "logit_cosine": float(0.96 + step * 5e-6),
            "cosine": float(0.93 + step * 5e-6),
            "cka": 0.9,
        },
        "cost": {
            "parameters": 21_840,
            "parameters_with_statistics": 21_968,
            "megabytes": 0.0879,
            "of_teacher": 0.0165,
            "flops": 1e6,
            "latency_median": 0.42,
            "latency_p90": 0.55,
            "throughput": float(51_234 + rng.integers(0, 900)),
            "throughput_batch": 256,
        },
    }
    if name == "teacher":
        made["teacher"] = None
        made["cost"] |= {
            "parameters": 1_325_866,
            "megabytes": 5.31,
            "of_teacher": None,
            "throughput": 3_456.0,
            "latency_median": 3.1,
            "latency_p90": 3.9,
        }
    if multi_label:
        made["attributes"] = {
            class_name(place, classes): {"accuracy": float(rng.uniform(0.8, 0.99))}
            for place in range(classes)
        }
    else:
        made["confusion"] = confusion(classes, accuracy, rng).tolist()
    return made


def class_name(place, classes):
    if classes <= 10:
        return str(place)
    return ["Dense Residential", "Lake", "Permanent_Crop", "Sea"][place % 4] + f" {place}"


def confusion(classes, accuracy, rng):
    spread = rng.dirichlet(np.full(classes - 1, 0.2), classes)
    shares = np.zeros((classes, classes))
    for place in range(classes):
        shares[place] = np.insert((1 - accuracy) * spread[place], place, accuracy)
    return np.stack([rng.multinomial(1000, row / row.sum()) for row in shares])


def record(rows, *, workdir="runs/two", classes=10, multi_label=False):
    """A record of `(row name, network)` pairs."""
    rng = np.random.default_rng(len(rows))
    matrix = 1 - rng.uniform(0.005, 0.03, (len(rows), len(rows)))
    matrix = (matrix + matrix.T) / 2
    np.fill_diagonal(matrix, 1.0)
    names = [class_name(place, classes) for place in range(classes)]
    made = {
        "workdir": workdir,
        "method": "two_phase",
        "dataset": "mnist",
        "seed": 0,
        "split": "test",
        "on": None,
        "examples": 10_000,
        "class_names": names,
        "multi_label": multi_label,
        "device": "1 x cpu",
        "teacher": "teacher",
        "layer": "pooled",
        "networks": dict(rows),
        "agreement": {"networks": [name for name, _ in rows], "matrix": matrix.tolist()},
    }
    if multi_label:
        made["attribute_shares"] = dict(
            zip(names, rng.uniform(0, 1, classes).tolist(), strict=True)
        )
    return made


def two_phase(peers=2, **kinds):
    """Peers trained alone and then together, beside their teacher and a baseline."""
    workdir = kinds.pop("workdir", "runs/two")
    rows = [("teacher", network("teacher", "teacher", 690, accuracy=0.991, **kinds))]
    for place in range(peers):
        name = f"peer_{place}"
        rows.append((f"{name} after {name}", network(name, name, 690, accuracy=0.975, **kinds)))
        rows.append((name, network(name, "mutual", 2070, accuracy=0.983, **kinds)))
    rows.append(("baseline", network("baseline", "baseline", 690, accuracy=0.974, **kinds)))
    shared = {key: kinds[key] for key in ("classes", "multi_label") if key in kinds}
    return record(rows, workdir=workdir, **shared)


def many(**kinds):
    """Twelve networks with long names, two of them of two stages."""
    rows = [(name, network(name, name, 2070, **kinds)) for name in LONG]
    for name in ("generation_0+generation_1", "student_of_a_long_chain_of_assistants"):
        rows.append((f"{name} after generation_0", network(name, "generation_0", 690, **kinds)))
    shared = {key: kinds[key] for key in ("classes", "multi_label") if key in kinds}
    return record(rows, workdir="runs/many", **shared)


def one(**kinds):
    """A single network without a teacher and without measured costs."""
    made = network("baseline", "train", 690, **kinds)
    made |= {"teacher": None, "cost": None}
    shared = {key: kinds[key] for key in ("classes", "multi_label") if key in kinds}
    return record([("baseline", made)], workdir="runs/one", **shared) | {"teacher": None}


def log(stages, *, scheduled=True, validation=True):
    """Rows of `metrics.jsonl`: `stages` maps a stage's name to the networks that it trains."""
    rng = np.random.default_rng(len(stages))
    rows = []
    step = 0
    for stage, networks in stages.items():
        for place in range(20):
            step += 50
            row = {"step": step, "stage": stage, "train/learning_rate": 0.003 * (1 - place / 20)}
            for name in networks:
                row[f"train/ce_{name}"] = float(2 * 0.75**place + 0.03 + rng.uniform(0, 0.01))
                row[f"train/soft_{name}"] = float(9 * 0.75**place + 0.2 + rng.uniform(0, 0.05))
                row[f"train/{name}/accuracy"] = float(0.99 - 0.3 * 0.7**place)
                if scheduled:
                    row[f"train/soft_{name}/weight"] = place / 20
                    row[f"train/soft_{name}/temperature"] = 4 - 3 * place / 20
            row["train/loss"] = sum(row[f"train/ce_{name}"] for name in networks)
            rows.append(row)
            if validation and place % 4 == 3:
                rows.append(
                    {
                        "step": step,
                        "stage": stage,
                        **{f"val/{n}/accuracy": 0.97 - 0.1 * 0.7**place for n in networks},
                        **{f"val/{n}/loss": 0.1 for n in networks},
                    }
                )
    return rows


def trials(seeds=(0,), missing=()):
    """A search over 4 alphas and 5 temperatures, unsorted; best at alpha 0.5, temperature 4."""
    return {
        (alpha, temperature): [
            98 - abs(alpha - 0.5) - 0.1 * abs(temperature - 4) + 1e-3 * seed for seed in seeds
        ]
        for temperature in (8.0, 1.0, 4.0, 20.0, 2.0)
        for alpha in (0.9, 0.1, 0.5, 1.0)
        if (alpha, temperature) not in missing
    }
