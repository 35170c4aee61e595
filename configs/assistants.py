"""Teacher assistants: a chain of networks, each taught by the one before.

Mirzadeh et al., Improved Knowledge Distillation via Teacher Assistant, arXiv:1902.03393. Sizes are
the numbers of convolutions of `kdjax/models/plain.py`; `direct`, taught by the teacher itself, and
`baseline` have the student's initialisation.

    python -m kdjax.main --config=configs/assistants.py                       # digits, 10 > 6 > 2
    python -m kdjax.main --config=configs/assistants.py:cifar10,teacher=10,assistants=2
"""

import itertools

from ml_collections import ConfigDict

from configs import base, parts
from kdjax.system.errors import UserError

SIZES = (2, 4, 6, 8, 10)


def get_config(argument: str = "") -> ConfigDict:
    """`argument`: the data set; `teacher=N`, `student=N` convolutions; `assistants=K` between, as
    evenly as the sizes 2, 4, 6, 8 and 10 allow; `train=0` takes the teacher from another run;
    `baseline=0` leaves both comparisons out."""
    config, options = base.start(
        "assistants", argument, teacher=10, student=2, assistants=1, train=True, baseline=True
    )
    for role in ("teacher", "student"):
        if options[role] not in SIZES:
            raise UserError(f"{role}={options[role]}: there are networks of {SIZES} convolutions")
    between = [n for n in reversed(SIZES) if options["student"] < n < options["teacher"]]
    count = options["assistants"]
    if not 1 <= count <= len(between):
        raise UserError(
            f"assistants={count}: between {options['teacher']} and {options['student']} "
            f"convolutions there are {len(between)} sizes"
        )
    chosen = [between[(2 * i + 1) * len(between) // (2 * count)] for i in range(count)]
    chain = ["teacher", *(f"assistant_{i}" for i in range(count)), "student"]
    for name, size in zip(chain, (options["teacher"], *chosen, options["student"]), strict=True):
        config.networks[name] = parts.network(model=f"plain.plain{size}")
    if options["train"]:
        parts.add_hard_stage(config, "teacher")
    for teacher, student in itertools.pairwise(chain):
        terms = parts.hard_and_soft(config, student=student, teacher=teacher)
        parts.add_stage(config, student, parts.stage(config, train=(student,), terms=terms))
    if options["baseline"]:
        student = config.networks.student
        config.networks.direct = parts.network(
            model=student.get_oneway_ref("model"),
            dropout=student.get_oneway_ref("dropout"),
            pair="student",
        )
        terms = parts.hard_and_soft(config, student="direct", teacher="teacher")
        parts.add_stage(config, "direct", parts.stage(config, train=("direct",), terms=terms))
        parts.add_baseline(config, pair="student")
    return config.lock()
