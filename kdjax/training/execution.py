"""How a sweep's members are executed: what the config leaves open is settled when a stage begins.

Members as one computation round differently from single ones: a stage that goes on does so as it
began, also on a machine with other devices.
"""

from collections.abc import Mapping
from typing import Any

from kdjax.config.plan import Plan, Stage
from kdjax.system.errors import UserError


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
    """The plan, in which stages that have begun go on as they began.

    Args:
        plan: as `build.plan` makes it.
        began: `Stage.execution` of the stages that have begun, by name.
    """
    stages = (_as_it_began(stage, began.get(stage.name, {})) for stage in plan.stages)
    return plan._replace(stages=tuple(stages))


def _as_it_began(stage: Stage, execution: Mapping[str, Any]) -> Stage:
    swept = stage.code.swept
    if swept is None or not execution:
        return stage
    swept = swept._replace(vmap=execution["vmap"], together=execution["together"])
    return stage._replace(code=stage.code._replace(swept=swept))


def _in_groups(stage: Stage) -> bool:
    swept = stage.code.swept
    return swept is not None and 0 < swept.together < len(swept.labels)
