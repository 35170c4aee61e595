"""How a stage's steps are executed: what the config leaves open is settled when the stage begins.

Several steps a call, and members of a sweep together, round differently from single ones: a stage
that goes on does so as it began, whatever has changed about the machine.
"""

from collections.abc import Mapping
from typing import Any

import jax

from kdjax import capacity
from kdjax.build import Plan, Stage
from kdjax.errors import UserError

STEPS_PER_CALL = 8
"""On accelerators, unless the config says otherwise."""


def check(plan: Plan) -> None:
    """Makes sure that the steps can be executed as the config asks for.

    Raises:
        UserError: several steps a call are asked for where there can be only one.
    """
    if plan.steps_per_call < 2:
        return
    for against, what in (
        (plan.streaming, "input that is streamed (config.data.input)"),
        (
            any(_in_groups(stage) for stage in plan.stages),
            "members of a sweep that are trained in groups (--mode, --together)",
        ),
    ):
        if against:
            raise UserError(
                f"config.steps_per_call is {plan.steps_per_call}; it must be 1 with {what}"
            )


def settle(plan: Plan, began: Mapping[str, Mapping[str, Any]]) -> Plan:
    """The plan with steps per call, and members in groups that fit the devices.

    Args:
        plan: as `build.plan` makes it.
        began: by name, `Stage.execution` of the stages that have begun; {} of those that an earlier
            version began.

    Raises:
        UserError: a stage cannot go on as it began, or cannot begin as the config asks for.
    """
    stages = (
        _as_it_began(plan, stage, began[stage.name])
        if stage.name in began
        else _afresh(plan, stage)
        for stage in plan.stages
    )
    return plan._replace(stages=tuple(stages))


def _as_it_began(plan: Plan, stage: Stage, execution: Mapping[str, Any]) -> Stage:
    given = {"steps_per_call": 1, **execution}
    if given["steps_per_call"] > 1 and plan.streaming:
        raise UserError(
            f"stage {stage.name!r} began with {given['steps_per_call']} steps a call, for which "
            "images must be on the devices: set config.data.input='resident', or choose another "
            "--workdir"
        )
    stage = stage._replace(steps_per_call=given["steps_per_call"])
    if "together" not in given:
        return stage
    return _with_members(stage, vmap=given["vmap"], together=given["together"])


def _afresh(plan: Plan, stage: Stage) -> Stage:
    swept = stage.program.swept
    if swept and not swept.together:
        count = len(swept.labels)
        most = capacity.members(plan, stage)
        if most < count:
            stage = _with_members(stage, together=-(-count // -(-count // most)))
            if plan.steps_per_call > 1:
                raise UserError(
                    f"config.steps_per_call is {plan.steps_per_call}, for which all members must "
                    f"fit a device at once: of stage {stage.name!r} {most} of {count} do"
                )
    straight = plan.streaming or _in_groups(stage) or jax.default_backend() == "cpu"
    return stage._replace(steps_per_call=plan.steps_per_call or (1 if straight else STEPS_PER_CALL))


def _with_members(stage: Stage, **changes: Any) -> Stage:
    swept = stage.program.swept
    assert swept is not None
    program = stage.program._replace(swept=swept._replace(**changes))
    return stage._replace(program=program)


def _in_groups(stage: Stage) -> bool:
    swept = stage.program.swept
    return swept is not None and 0 < swept.together < len(swept.labels)
