"""`compute_destroy`: ends a sandbox. It yields no value."""

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import COMPUTE, JSON, FallibleConfig, StepKind, Surroundings, Text
from scaiflow_api.compiler.kinds.sandbox import config_in_sandbox, lower_in_sandbox

METHOD = "destroy"


class ComputeDestroyConfig(FallibleConfig):
    """Which sandbox."""

    bunker: Text | None = None
    """A template that names a sandbox, `{{ node_provision }}`; without one, the nearest one upstream."""


def lower(config: ComputeDestroyConfig, around: Surroundings) -> ir.RigidBlock:
    return lower_in_sandbox(METHOD, config, around)


def config_of(block: ir.RigidBlock) -> dict[str, JSON]:
    return config_in_sandbox(block, ComputeDestroyConfig)


COMPUTE_DESTROY = StepKind(
    name="compute_destroy",
    title="Destroy Sandbox",
    description="Ends a sandbox.",
    category=COMPUTE,
    config=ComputeDestroyConfig,
    lower=lower,
    config_of=config_of,
    templates=("bunker",),
    yields=False,
)
