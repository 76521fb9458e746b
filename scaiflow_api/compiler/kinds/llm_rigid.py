"""`llm_rigid`: a text from a template, without a model. Its step is `rigid: "<template>"`."""

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import JSON, LLM, Common, FallibleConfig, StepKind, Surroundings
from scaiflow_api.compiler.kinds.steps import Step
from scaiflow_api.compiler.manifest.section import Section

STEP_KEY = "rigid"


class LlmRigidConfig(FallibleConfig):
    """What to answer."""

    template: str
    """A template that is exactly one `{{ … }}` keeps the type of its value."""


def lower(config: LlmRigidConfig, around: Surroundings) -> ir.RigidBlock:
    statement = ir.ExpressionStatement(expression=config.template)
    return ir.RigidBlock(**around.common, statements=(statement,))


def config_of(block: ir.RigidBlock) -> dict[str, JSON]:
    (statement,) = block.statements
    assert isinstance(statement, ir.ExpressionStatement)
    return {"template": statement.expression}


def write_step(statement: ir.ExpressionStatement) -> Step:
    return {STEP_KEY: statement.expression}


def read_step(step: Section, common: Common) -> ir.RigidBlock:
    return ir.RigidBlock(**common, statements=(ir.ExpressionStatement(expression=step.json(STEP_KEY)),))


LLM_RIGID = StepKind(
    name="llm_rigid",
    title="Rigid Text",
    description="Makes a text from a template, without a model.",
    category=LLM,
    config=LlmRigidConfig,
    lower=lower,
    config_of=config_of,
    templates=("template",),
)
