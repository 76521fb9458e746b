"""The intermediate representation: what a flow becomes before it takes a format, and what a runtime executes.

Member names and their order are those of the bundle format. A block is one of the `kind`s below; statements
live only inside `RigidBlock`. Everything is immutable: a runtime shares one module between all its runs.

Text fields that hold templates (`{{ … }}`) or expressions stay text; `scaiflow_api.expressions` reads them.

A runtime walks this tree and needs no graph:

* A body runs block by block, in order. Joins, and paths that structure cannot express, are guarded by
  generated flags: ordinary variables whose names begin with `__`, set by `AssignStatement`s in blocks without
  a `node_id`, tested by match blocks without one, and initialised by the first block of the flow that uses
  them. Authors cannot use such names.
* `__entry` (`ENTRY_NAME`) is the one such variable that the runtime itself sets, before the body: the
  `node_id` of the trigger that started the run, or of the flow's first trigger where none is known. The
  entry's node id and short id name the run's input, and a data binding may name an entry.
* `Flow.outputs` decides what a run returns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

JSON: TypeAlias = Any

RESERVED_PREFIX = "__"
ENTRY_NAME = "__entry"


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """Where in the flow document a block comes from."""

    node_id: str | None = None
    edge_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What all blocks share. A synthetic block (flags, try, breakpoints) has no `node_id` and no events."""

    kind: ClassVar[str]

    node_id: str | None = None
    result_binding: str | None = None
    """The name that the author gave the result; the node's id and short id name it as well."""
    source_location: SourceLocation = SourceLocation()
    data_bindings: Mapping[str, str] = field(default_factory=dict)
    """Target port → source node, for values that reach this node by a data edge; strongest in scope.

    The value is null when the source did not run or yields none.
    """


# Statements


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpressionStatement:
    """Evaluate a template; a string that is exactly one `{{ … }}` keeps the value's type."""

    kind: ClassVar[str] = "expression"
    expression: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignStatement:
    """Set a flow variable (`output` included) to the value of a template."""

    kind: ClassVar[str] = "assign"
    name: str
    value: JSON


Statement: TypeAlias = ExpressionStatement | AssignStatement


# Blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class RigidBlock(Block):
    """Deterministic statements; no model call. The result is the value of the last statement."""

    kind: ClassVar[str] = "rigid"
    statements: tuple[Statement, ...]
    on_error: str = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBlock(Block):
    """What the two kinds of model call share."""

    goal: str
    output_type: Mapping[str, str] | None = None
    """The declared `output_schema`, name → type string; None when the author declared none."""
    llm_role: str
    input_bindings: Mapping[str, JSON] = field(default_factory=dict)
    context_bindings: Mapping[str, JSON] = field(default_factory=dict)
    guidance: str | None = None
    constraints: JSON = None
    on_error: str = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedBlock(ModelBlock):
    """A model call between a condition before it and a condition on its result."""

    kind: ClassVar[str] = "guarded"
    guard: str | None = None
    validate: str | None = None
    on_validation_failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlexibleBlock(ModelBlock):
    """A model call with a goal."""

    kind: ClassVar[str] = "flexible"
    examples: tuple[JSON, ...] = ()
    on_failure: str | None = None
    budget: JSON = None
    identity_ref: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchArm:
    """Taken when `condition` is truthy or, if it `compares`, when its value equals the block's subject."""

    condition: str
    edge_id: str | None
    body: tuple["AnyBlock", ...]
    compares: bool = False
    """True for a literal other than `true` in a match that has a subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchBlock(Block):
    """The first arm whose condition holds runs, no other; else `else_body`. It yields no value.

    With a `node_id` it is a decision node, and that node has run once an arm is chosen. Without one,
    `source_location.node_id` names the node whose outgoing edges the arms are: an entry, or the node whose
    block comes right before this one (but for other such matches of the same node). The conditions then see
    that node's local scope as it was when it ran: its bindings and its data values. Without either the match
    tests flags.

    An error in a condition or in the subject is an error of that node: with `on_error` "continue" the node's
    value becomes null, the error is recorded, the arm is not taken and the next one is tried.
    """

    kind: ClassVar[str] = "match"
    subject: str | None = None
    arms: tuple[MatchArm, ...]
    else_body: tuple["AnyBlock", ...] = ()
    on_error: str = "fail"


AnyBlock: TypeAlias = RigidBlock | GuardedBlock | FlexibleBlock | MatchBlock


# The module


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    provider: str
    persona: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What starts a flow. `kind` is `api`, `webhook` or `schedule`; the other fields by kind."""

    kind: str
    name: str
    target_flow: str
    node_id: str | None
    method: str | None = None
    path: str | None = None
    auth: JSON = None
    cron: str | None = None
    timezone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputCandidate:
    """A node whose value a run may return: if it ran and none of its control successors did."""

    node_id: str
    successors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    name: str
    params: Mapping[str, str]
    """The union of its entries' `input_schema`, name → type string."""
    body: tuple[AnyBlock, ...]
    outputs: tuple[OutputCandidate, ...] = ()
    """What a run returns, unless it assigned the variable `output`, whose value comes first.

    The value of the first candidate here whose node ran while none of its `successors` did; null if there is
    none. A node that failed and continued did run, with the value null.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    source_id: str | None
    source_version: str | None
    scaicore_target: str | None
    publish_as_model: bool = False
    model_visibility_group_ids: tuple[str, ...] = ()
    graph: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A compiled flow document."""

    ir_version: str = "0.1"
    name: str
    version: str
    runtime_version: str
    mode: str
    entity_key: str | None = None
    identity: Identity
    models: tuple[Mapping[str, JSON], ...]
    """The model registry; the first entry serves nodes without a role."""
    plugins: tuple[Mapping[str, JSON], ...] = ()
    capabilities: tuple[JSON, ...] = ()
    scaiqueue: Mapping[str, JSON] | None = None
    variables: tuple[Mapping[str, JSON], ...] = ()
    """`{name, type, default, description?}` each."""
    types: Mapping[str, JSON] = field(default_factory=dict)
    triggers: tuple[Trigger, ...]
    flows: tuple[Flow, ...]
    metadata: Metadata
