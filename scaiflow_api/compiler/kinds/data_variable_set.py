"""`data_variable_set`: assigns flow variables. Its step is `set: [{variable, value}]`."""

from pydantic import model_validator

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import (
    DATA,
    JSON,
    Common,
    Config,
    FallibleConfig,
    StepKind,
    Surroundings,
    Text,
    absent,
)
from scaiflow_api.compiler.kinds.steps import Step
from scaiflow_api.compiler.manifest.section import ManifestError, Section

STEP_KEY = "set"


class Assignment(Config):
    """One variable and its new value."""

    variable: Text
    """The variable that is assigned."""
    value: JSON
    """Its new value; texts may hold templates."""


class DataVariableSetConfig(FallibleConfig):
    """Either one `variable` with its `value`, or several `assignments`, made in order."""

    assignments: list[Assignment] | None = None
    """Several assignments, made in order."""
    variable: Text | None = None
    """The one variable that is assigned."""
    value: JSON = None
    """Its new value; texts may hold templates."""

    @model_validator(mode="after")
    def _has_one_form(self) -> "DataVariableSetConfig":
        if bool(self.assignments) == (self.variable is not None):
            raise ValueError("needs either variable and value, or assignments with at least one entry")
        if self.variable is not None and "value" not in self.model_fields_set:
            raise absent("value")
        return self

    def places(self) -> list[tuple[str, Assignment]]:
        """Return the assignments in order, each with the path of its `variable` in the configuration."""
        if self.variable is not None:
            return [("variable", Assignment(variable=self.variable, value=self.value))]
        return [(f"assignments[{index}].variable", item) for index, item in enumerate(self.assignments or ())]


def lower(config: DataVariableSetConfig, around: Surroundings) -> ir.RigidBlock:
    statements = tuple(
        ir.AssignStatement(name=item.variable, value=item.value) for _, item in config.places()
    )
    return ir.RigidBlock(**around.common, statements=statements)


def config_of(block: ir.RigidBlock) -> dict[str, JSON]:
    pairs = _pairs(block.statements)
    return pairs[0] if len(pairs) == 1 else {"assignments": pairs}


def _pairs(statements: tuple[ir.Statement, ...]) -> list[dict[str, JSON]]:
    assigned = (item for item in statements if isinstance(item, ir.AssignStatement))
    return [{"variable": item.name, "value": item.value} for item in assigned]


def write_step(statements: tuple[ir.Statement, ...]) -> Step:
    return {STEP_KEY: _pairs(statements)}


def read_step(step: Section, common: Common) -> ir.RigidBlock:
    items = step.sections(STEP_KEY)
    if not items:
        raise ManifestError(f"{step.path}.{STEP_KEY} must have at least one entry.")
    statements = tuple(
        ir.AssignStatement(name=item.text("variable"), value=item.json("value")) for item in items
    )
    return ir.RigidBlock(**common, statements=statements)


DATA_VARIABLE_SET = StepKind(
    name="data_variable_set",
    title="Set Variable",
    description="Assigns variables of the flow.",
    category=DATA,
    config=DataVariableSetConfig,
    lower=lower,
    config_of=config_of,
    templates=("value", "assignments"),
)
