"""The intermediate representation: what a flow becomes before it takes a format, and what a runtime executes.

Member names and their order are those of the bundle format. A block is one of the `kind`s below; statements
live only inside `RigidBlock`. Everything is immutable: a runtime shares one module between all its runs.

Text fields that hold templates (`{{ … }}`) or expressions stay text; `scaiflow_api.expressions` reads them.

A runtime walks this tree and needs no graph:

* A body runs block by block, in order. Joins, and paths that structure cannot express, are guarded by
  generated flags: ordinary variables whose names begin with `__`, set by `AssignStatement`s in blocks without
  a `node_id`, tested by match blocks without one, and initialised by the first block of the body that their
  node stands in (of a flow, a round, a branch). Authors cannot use such names.
* A round of a loop and a branch of a parallel block have a frame of their own: they see the results of the frame
  around them, and what they yield stays inside. See `ForeachBlock` and `ParallelBlock` for what outlives them.
* Names, weakest first: input → variables → results → variables of the loops around (inner ones hide outer ones)
  → a block's own bindings → its data values.
* `__entry` (`ENTRY_NAME`) is the one such variable that the runtime itself sets, before the body: the
  `node_id` of the trigger that started the run, or of the flow's first trigger where none is known. The
  entry's node id and short id name the run's input, and a data binding may name an entry.
* `Flow.outputs` decides what a run returns.
* A block that fails, fails what contains it, up to the nearest `TryBlock`, else the run.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeAlias

from msgspec import Struct, field

JSON: TypeAlias = Any

RESERVED_PREFIX = "__"
ENTRY_NAME = "__entry"


class SourceLocation(Struct, frozen=True, gc=False):
    """Where in the flow document a block comes from."""

    node_id: str | None = None
    edge_id: str | None = None


class Block(Struct, frozen=True, kw_only=True, gc=False):
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

    @property
    def result_id(self) -> str | None:
        """What the result is kept under: the node, or the binding of a step that stands for none; None: it is not."""
        return self.node_id or self.result_binding


# Statements


class ExpressionStatement(Struct, frozen=True, kw_only=True, gc=False):
    """Evaluate a template; a string that is exactly one `{{ … }}` keeps the value's type."""

    kind: ClassVar[str] = "expression"
    expression: JSON


class AssignStatement(Struct, frozen=True, kw_only=True, gc=False):
    """Set a flow variable (`output` included) to the value of a template."""

    kind: ClassVar[str] = "assign"
    name: str
    value: JSON


class PluginCallStatement(Struct, frozen=True, kw_only=True, gc=False):
    """Call a method of a plugin; `args` hold templates. The value is what the method answers.

    Three plugins belong to the runtime: `http` (`request`), `scaiqueue` (`publish`, `consume`, `escalate`) and
    `scaibunker` (`create`, `exec`, `write_file`, `read_file`, `destroy`).
    """

    kind: ClassVar[str] = "plugin_call"
    alias: str
    method: str
    args: Mapping[str, JSON] = field(default_factory=dict)
    binding: str | None = None
    """The block's `result_binding`, repeated for runtimes that look at statements alone."""
    timeout: str | None = None
    """How long the call may take, as a duration; for the runtime's own plugins it stands in `args`."""


Statement: TypeAlias = ExpressionStatement | AssignStatement | PluginCallStatement


# Blocks


class RigidBlock(Block, frozen=True, kw_only=True):
    """Deterministic statements; no model call. The result is the value of the last statement."""

    kind: ClassVar[str] = "rigid"
    statements: tuple[Statement, ...]


class ModelBlock(Block, frozen=True, kw_only=True):
    """What the two kinds of model call share."""

    goal: str
    output_type: Mapping[str, str] | None = None
    """The declared `output_schema`, name → type string; None when the author declared none."""
    llm_role: str
    input_bindings: Mapping[str, JSON] = field(default_factory=dict)
    context_bindings: Mapping[str, JSON] = field(default_factory=dict)
    guidance: str | None = None
    constraints: JSON = None


class GuardedBlock(ModelBlock, frozen=True, kw_only=True):
    """A model call between a condition before it and a condition on its result."""

    kind: ClassVar[str] = "guarded"
    guard: str | None = None
    validate: str | None = None
    on_validation_failure: str | None = None


class FlexibleBlock(ModelBlock, frozen=True, kw_only=True):
    """A model call with a goal."""

    kind: ClassVar[str] = "flexible"
    examples: tuple[JSON, ...] = ()
    on_failure: str | None = None
    budget: JSON = None
    identity_ref: bool = False


class MatchArm(Struct, frozen=True, kw_only=True, gc=False):
    """Taken when `condition` is truthy or, if it `compares`, when its value equals the block's subject."""

    condition: str
    edge_id: str | None
    body: tuple["AnyBlock", ...]
    compares: bool = False
    """True for a literal other than `true` in a match that has a subject."""


class MatchBlock(Block, frozen=True, kw_only=True):
    """The first arm whose condition holds runs, no other; else `else_body`. It yields no value.

    With a `node_id` it is a decision node, and that node has run once an arm is chosen. Without one,
    `source_location.node_id` names the node whose outgoing edges the arms are: an entry, the loop whose round
    begins with this block, or the node whose block comes right before this one (but for other such matches of
    the same node). The conditions then see that node's local scope as it was when it ran: its bindings and its
    data values. Without either the match tests flags.

    An error in a condition or in the subject is an error of that node: with `on_error` "continue" the node's
    value becomes null, the error is recorded, the arm is not taken and the next one is tried.
    """

    kind: ClassVar[str] = "match"
    subject: str | None = None
    arms: tuple[MatchArm, ...]
    else_body: tuple["AnyBlock", ...] = ()
    on_error: str = "fail"


class OutputCandidate(Struct, frozen=True, kw_only=True, gc=False):
    """A node whose value a run, or a round, may return: if it ran and none of its control successors did."""

    node_id: str
    successors: tuple[str, ...] = ()


class LoopBlock(Block, frozen=True, kw_only=True):
    """What the two kinds of loop share. A round sees the results of the frame around it; its own end with it.

    Variables that a round assigns outlive it. A loop that would go on after `max_iterations` rounds fails.
    The output of a round is the value of `collect`, evaluated at its end; without `collect`, that of the first
    of `outputs` as in `Flow.outputs`, within the round.
    """

    max_iterations: int | None = None
    collect: str | None = None
    body: tuple["AnyBlock", ...] = ()
    outputs: tuple[OutputCandidate, ...] = ()
    """Empty where there is a `collect`."""


class ForeachBlock(LoopBlock, frozen=True, kw_only=True):
    """A round for each of `items`, which must be a list. The result is the list of the rounds' outputs.

    With `max_concurrent` above 1 so many rounds run at once, each on a copy of the variables; what each
    assigned is merged in the order of the items, after all have ended.
    """

    kind: ClassVar[str] = "foreach"
    items: str
    item_var: str = "item"
    index_var: str | None = None
    max_concurrent: int = 1


class WhileBlock(LoopBlock, frozen=True, kw_only=True):
    """Rounds as long as the condition holds, which sees the results of the round before (in the first, none).

    The result is the output of the last round, null without any.
    """

    kind: ClassVar[str] = "while"
    condition: str


class Branch(Struct, frozen=True, kw_only=True, gc=False):
    """One of the ways that leave a parallel block."""

    edge_id: str | None
    body: tuple["AnyBlock", ...]


class ParallelBlock(Block, frozen=True, kw_only=True):
    """Runs its branches at the same time, at most `max_concurrent` of them, each on a copy of frame and variables.

    When all have ended, the results of their nodes join the frame around, in the order of `merge_order`; of
    the variables, those that a branch assigned, in the order of the branches. It yields no value. When a
    branch fails the block fails: with `fail_fast` at once, the others being cancelled, else after their end.
    """

    kind: ClassVar[str] = "parallel"
    branches: tuple[Branch, ...]
    max_concurrent: int | None = None
    fail_fast: bool = True
    merge_order: tuple[str, ...] = ()
    """The nodes whose results join the frame around, in ascending rank."""


class HitlTarget(Struct, frozen=True, kw_only=True, gc=False):
    """The queue that asks a person, and the form that is shown."""

    scope: str | None
    queue: str
    hitl_spec: Mapping[str, JSON]
    """`{sections, timeout_s?}`."""


class CheckpointBlock(Block, frozen=True, kw_only=True):
    """Suspends the run until somebody resolves it. The result is the resolution.

    A resolution is an object; a text `s` becomes `{decision: s}`, or `{<field>: s}` with the field of the
    first section of type `decision`. Without a `node_id` it is a breakpoint: its type is `debug_breakpoint`,
    and `source_location.node_id` names the node before whose block it stands.
    """

    kind: ClassVar[str] = "checkpoint"
    checkpoint_type: str
    prompt: str | None = None
    options: tuple[JSON, ...] = ()
    sections: tuple[Mapping[str, JSON], ...] = ()
    assignee: str | None = None
    priority: str | None = None
    timeout: str | None = None
    on_timeout: str | None = None
    """`fail`, `escalate`, `continue` or `resolve:<option>`."""
    hitl_target: HitlTarget | None = None


class CoreCallBlock(Block, frozen=True, kw_only=True):
    """Calls a flow of another Core. The result is its output; null when it is not waited for."""

    kind: ClassVar[str] = "core_call"
    target: str
    """`core://{tenant_slug}/{slug}`."""
    flow_name: str | None = None
    input_bindings: Mapping[str, JSON] = field(default_factory=dict)
    instance_key: str | None = None
    version: str | None = None
    timeout: str = "30s"
    is_async: bool = False


class TryBlock(Block, frozen=True, kw_only=True):
    """Runs `body`, one block; when that fails, its result is null, the error is recorded, and `catch` runs.

    Synthetic: `on_error: continue` of the node whose block it holds.
    """

    kind: ClassVar[str] = "try"
    body: tuple["AnyBlock", ...]
    catch: tuple["AnyBlock", ...] = ()


AnyBlock: TypeAlias = (
    RigidBlock
    | GuardedBlock
    | FlexibleBlock
    | MatchBlock
    | ForeachBlock
    | WhileBlock
    | ParallelBlock
    | CheckpointBlock
    | CoreCallBlock
    | TryBlock
)


_WITHOUT_BODIES = frozenset({RigidBlock, GuardedBlock, FlexibleBlock, CheckpointBlock, CoreCallBlock})


def bodies(block: AnyBlock) -> tuple[tuple[AnyBlock, ...], ...]:
    """Return the bodies that a block contains, in order."""
    if type(block) in _WITHOUT_BODIES:
        return ()
    match block:
        case MatchBlock():
            return (*[arm.body for arm in block.arms], block.else_body)
        case ForeachBlock() | WhileBlock():
            return (block.body,)
        case ParallelBlock():
            return tuple([branch.body for branch in block.branches])
        case TryBlock():
            return (block.body, block.catch)
        case _:
            return ()


def frame_nodes(body: tuple[AnyBlock, ...]) -> Iterator[str]:
    """Yield the nodes of a body whose results are kept in its frame: all but those inside loops."""
    for block in body:
        if block.node_id is not None:
            yield block.node_id
        if not isinstance(block, ForeachBlock | WhileBlock):
            for inner in bodies(block):
                yield from frame_nodes(inner)


def walk(body: tuple[AnyBlock, ...]) -> Iterator[AnyBlock]:
    """Yield all blocks of a body, each before those that it contains."""
    pending = list(reversed(body))
    while pending:
        block = pending.pop()
        yield block
        if type(block) not in _WITHOUT_BODIES:
            for inner in reversed(bodies(block)):
                pending += inner[::-1]


# The module


class Identity(Struct, frozen=True, kw_only=True, gc=False):
    provider: str
    persona: str


class Trigger(Struct, frozen=True, kw_only=True, gc=False):
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


class Flow(Struct, frozen=True, kw_only=True, gc=False):
    name: str
    params: Mapping[str, str]
    """The union of its entries' `input_schema`, name → type string."""
    body: tuple[AnyBlock, ...]
    outputs: tuple[OutputCandidate, ...] = ()
    """What a run returns, unless it assigned the variable `output`, whose value comes first.

    The value of the first candidate here whose node ran while none of its `successors` did; null if there is
    none. A node that failed and continued did run, with the value null.
    """


class Metadata(Struct, frozen=True, kw_only=True, gc=False):
    source_id: str | None
    source_version: str | None
    scaicore_target: str | None
    publish_as_model: bool = False
    model_visibility_group_ids: tuple[str, ...] = ()
    graph: JSON = None


class Module(Struct, frozen=True, kw_only=True, gc=False):
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

    def blocks(self) -> list[AnyBlock]:
        """Return the blocks of all flows, each before those that it contains."""
        return [block for flow in self.flows for block in walk(flow.body)]
