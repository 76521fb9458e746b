"""`compute_provision`: starts a sandbox. Its value is the handle that the other compute kinds work with."""

from typing import Annotated, Literal

from pydantic import Field

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import COMPUTE, JSON, FallibleConfig, StepKind, Surroundings, Text
from scaiflow_api.compiler.kinds.own_keys import own_keys
from scaiflow_api.compiler.kinds.plugin_call import call_of, lower_call
from scaiflow_api.compiler.kinds.sandbox import ALIAS

METHOD = "create"


class ComputeProvisionConfig(FallibleConfig):
    """What kind of sandbox; what is absent comes from the flow's `config.bunker`."""

    image: Text | None = None
    """What is installed in it: `python-3.12`."""
    lifecycle: Literal["ephemeral", "session", "persistent", "appliance"] | None = None
    """`ephemeral` ends with the run, `session` with the conversation, `persistent` when it is destroyed."""
    cpu_millicores: Annotated[int, Field(ge=1)] | None = None
    """Thousandths of a processor."""
    memory_mb: Annotated[int, Field(ge=1)] | None = None
    """Megabytes of memory."""
    disk_mb: Annotated[int, Field(ge=1)] | None = None
    """Megabytes of disk."""
    gpu_count: Annotated[int, Field(ge=0)] | None = None
    """How many graphics processors."""
    network_profile: Literal["isolated", "registry", "allowlisted", "unrestricted", "transit"] | None = None
    """What it may reach; `registry` unless the platform says otherwise: package registries."""
    env_vars: dict[str, str] | None = None
    """Name → value of its environment; values may hold templates."""


def lower(config: ComputeProvisionConfig, around: Surroundings) -> ir.RigidBlock:
    return lower_call(ALIAS, METHOD, own_keys(config, around.bunker), around)


def config_of(block: ir.RigidBlock) -> dict[str, JSON]:
    """Return all that the sandbox is made of: what came from `config.bunker` cannot be told from here."""
    return dict(call_of(block).args)


COMPUTE_PROVISION = StepKind(
    name="compute_provision",
    title="Provision Sandbox",
    description="Starts a sandbox.",
    category=COMPUTE,
    config=ComputeProvisionConfig,
    lower=lower,
    config_of=config_of,
    templates=("image", "env_vars"),
)
