"""Two phases: a teacher teaches two students, one by soft targets, one by attention; they go on
in mutual learning.

Study A. `peer_0` learns from soft targets, `peer_1` from soft targets and attention; in the stage
`mutual` both start from there and learn from each other, with the teacher's terms kept
(`keep_teacher=1`) or not (the study does not say which).

    python -m kdjax.main --config=configs/two_phase.py            # digits: about a minute
    python -m kdjax.main --config=configs/two_phase.py:mnist,keep_teacher=1
"""

from configs import base, datasets, parts


def get_config(argument: str = ""):
    """`argument`: the data set; `keep_teacher=1`; `train=0` takes the teacher from another run;
    `baseline=0` leaves the baseline out."""
    dataset, options = base.arguments(argument, keep_teacher=0, train=1, baseline=1)
    config = base.get_config(method="two_phase", dataset=dataset)
    config.beta = 0.1
    config.gamma = 0.5
    settings = datasets.settings(dataset)
    parts.add_teacher(config, dataset, train=options["train"])
    taught = {}
    for peer in ("peer_0", "peer_1"):
        config.networks[peer] = parts.network(model=settings["student"])
        taught[peer] = parts.hard_and_soft(
            config, student=peer, teacher="teacher", suffix=f"_{peer}"
        )
    taught["peer_1"]["attention_peer_1"] = parts.term(
        "attention",
        student="peer_1",
        teacher="teacher",
        layers=settings["attention_layers"],
        variant="cosine",
        weight=config.get_oneway_ref("beta"),
    )
    for peer, terms in taught.items():
        parts.add_stage(config, peer, parts.stage(config, train=(peer,), terms=terms))

    mutual = {
        f"mutual_{student}": parts.soft(
            config, student=student, teacher=other, weight=config.get_oneway_ref("gamma")
        )
        for student, other in (("peer_0", "peer_1"), ("peer_1", "peer_0"))
    }
    for peer, terms in taught.items():
        if options["keep_teacher"]:
            mutual |= terms
        else:
            mutual[f"ce_{peer}"] = parts.ce(config, network=peer)
    peers = tuple(taught)
    stage = parts.stage(config, train=peers, terms=mutual, init_from={p: p for p in peers})
    parts.add_stage(config, "mutual", stage)
    if options["baseline"]:
        parts.add_baseline(config, pair="peer_0")
    return config.lock()
