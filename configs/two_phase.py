"""Two phases: a teacher teaches two students, one by soft targets, one by attention; they go on
in mutual learning.

Study A. `peer_0` learns from soft targets, `peer_1` from soft targets and attention; in the stage
`mutual` both start from there and learn from each other, with the teacher's terms kept
(`keep_teacher=1`) or not (the study does not say which).

    python -m kdjax.main --config=configs/two_phase.py            # digits: about a minute
    python -m kdjax.main --config=configs/two_phase.py:mnist,keep_teacher=1
"""

from ml_collections import ConfigDict

from configs import base, datasets, parts


def get_config(argument: str = "") -> ConfigDict:
    """`argument`: the data set; `keep_teacher=1`; `train=0` takes the teacher from another run;
    `baseline=0` leaves the baseline out."""
    config, options = base.start(
        "two_phase", argument, keep_teacher=False, train=True, baseline=True
    )
    config.beta = parts.formula(0.1)
    config.gamma = parts.formula(0.5)
    settings = datasets.settings(config.data.name)
    parts.add_teacher(config, train=options["train"])
    peers = ("peer_0", "peer_1")

    def taught(peer: str) -> dict[str, ConfigDict]:
        """The terms of phase one; new ones each time, so that stages have their own."""
        terms = parts.hard_and_soft(config, student=peer, teacher="teacher", suffix=f"_{peer}")
        if peer == "peer_1":
            terms["attention_peer_1"] = parts.term(
                "at",
                student=peer,
                teacher="teacher",
                layers=settings["attention_layers"],
                variant="cosine",
                weight="beta",
            )
        return terms

    for peer in peers:
        config.networks[peer] = parts.network(model=settings["student"])
        parts.add_stage(config, peer, parts.stage(config, train=(peer,), terms=taught(peer)))

    mutual = {
        f"mutual_{student}": parts.kd(student=student, teacher=other, weight="gamma")
        for student, other in (peers, peers[::-1])
    }
    for peer in peers:
        if options["keep_teacher"]:
            mutual |= taught(peer)
        else:
            mutual[f"ce_{peer}"] = parts.ce(config, network=peer)
    stage = parts.stage(config, train=peers, terms=mutual, init_from={p: p for p in peers})
    parts.add_stage(config, "mutual", stage)
    if options["baseline"]:
        parts.add_baseline(config, pair="peer_0")
    return config.lock()
