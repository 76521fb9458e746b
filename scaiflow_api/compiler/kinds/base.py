"""What every node kind says about itself: its configuration, its ports, what it becomes."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias, TypedDict

from msgspec import Struct, field
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from scaiflow_api.compiler import ir
from scaiflow_api.expressions import parse_duration

JSON: TypeAlias = Any


class Config(BaseModel):
    """A part of a node's `config`. Unknown keys are kept; they give a warning."""

    model_config = ConfigDict(
        strict=True, extra="allow", frozen=True, populate_by_name=True, defer_build=True
    )


class NodeConfig(Config):
    """What the configuration of every kind may hold."""

    result_binding: str | None = None
    """A further name for the node's result."""
    breakpoint: bool = False
    """Pause the run before this node."""


class FallibleConfig(NodeConfig):
    """The configuration of a kind that can fail."""

    on_error: Literal["fail", "continue"] = "fail"
    """`continue` binds null, records the error and goes on."""


def _duration(text: str) -> str:
    parse_duration(text)
    return text


_ACTION = r"(retry\(max\s*=\s*[1-9][0-9]{0,2}\)|escalate|continue)"
_POLICY = re.compile(rf"{_ACTION}(\s*\|\s*{_ACTION})*")


def _policy(text: str) -> str:
    if _POLICY.fullmatch(text) is None:
        raise ValueError("expected retry(max=N), escalate or continue, or several of them joined by |")
    return text


NONE_OF = "none_of"
"""The type of the error about a value that is none of some; these are its `choices`."""


def absent(*place: str | int) -> ValidationError:
    """Return what a model raises that misses a key, which it needs only beside others."""
    return _fault(place, None, "missing")


def wrong(*place: str | int, problem: str) -> ValidationError:
    """Return what a model raises about a key whose value does not go with others."""
    return _fault(place, None, PydanticCustomError("value_error", "{error}", {"error": problem}))


def none_of(*place: str | int, given: str, choices: Sequence[str], problem: str) -> ValidationError:
    """Return what a model raises about a value that must be one of those that other keys name."""
    context = {"error": problem, "choices": choices}
    return _fault(place, given, PydanticCustomError(NONE_OF, "{error}", context))


def _fault(place: tuple[str | int, ...], given: JSON, kind: str | PydanticCustomError) -> ValidationError:
    """Return an error at a place below the model that raises it; pydantic puts the place of the model before."""
    return ValidationError.from_exception_data("", [InitErrorDetails(type=kind, loc=place, input=given)])


Duration = Annotated[str, AfterValidator(_duration)]
"""`30s`, `5m`, `1h`, `2d`, `1w`."""
FailurePolicy = Annotated[str, AfterValidator(_policy)]
"""`retry(max=2) | escalate`: steps taken in turn, of `retry(max=N)`, `escalate` and `continue`."""
Text = Annotated[str, Field(min_length=1)]


class Common(TypedDict):
    """What every block takes as it is, whatever its kind."""

    node_id: str | None
    result_binding: str | None
    source_location: ir.SourceLocation
    data_bindings: Mapping[str, str]


class Surroundings(Struct, frozen=True):
    """What a kind is told of the flow around its node."""

    common: Common
    default_role: str = ""
    """The role of the first entry of the model registry."""
    queue_scope: str | None = None
    """The scope of the flow's queue topology."""
    bunker: Mapping[str, JSON] = field(default_factory=dict)
    """`config.bunker`, with the defaults of its `image` and `lifecycle`."""
    sandbox: str | None = None
    """The id of the nearest `compute_provision` upstream, for the kinds that need a sandbox."""


class Category(Struct, frozen=True):
    """A group of kinds on the palette."""

    name: str
    colour: str


ENTRY = Category("Entry", "Green")
LLM = Category("LLM", "Blue")
LOGIC = Category("Logic", "Orange")
TOOL = Category("Tool", "Purple")
DATA = Category("Data", "Teal")
CHECKPOINT = Category("Checkpoint", "Yellow")
QUEUE = Category("Queue / HITL", "Amber")
COMPUTE = Category("Compute", "Indigo")
SUBFLOW = Category("Sub-flow", "Grey")


class Port(Struct, frozen=True):
    """A port that nodes of a kind have where they declare none themselves."""

    id: str
    label: str
    type: str = "object"


IN = Port("in", "in")
OUT = Port("out", "result")


class Kind(Struct, frozen=True, kw_only=True):
    """What all kinds have."""

    name: str
    title: str
    """What the palette calls it."""
    description: str
    """What its nodes do, in one sentence."""
    category: Category
    config: type[NodeConfig]
    inputs: tuple[Port, ...] = (IN,)
    outputs: tuple[Port, ...] = (OUT,)


class EntryConfig(NodeConfig):
    """What the configuration of every entry may hold."""

    input_schema: dict[str, str] | None = None
    """Name → type of what callers send; names and call sites are checked against it."""

    def trigger_fields(self) -> dict[str, JSON]:
        """Return the fields of the trigger that belong to this kind."""
        raise NotImplementedError


class EntryKind(Kind, frozen=True, kw_only=True):
    """A kind that starts runs. It becomes a trigger, not a block."""

    trigger: str
    """`api`, `webhook` or `schedule`."""
    inputs: tuple[Port, ...] = ()


class StepKind(Kind, frozen=True, kw_only=True):
    """A kind that becomes a block."""

    lower: Callable[[Any, Surroundings], ir.AnyBlock]
    """From the configuration; what the edges add (arms, bodies, branches) lowering adds."""
    config_of: Callable[[Any], dict[str, JSON]]
    """The way back: the configuration that lowers to a block, without the keys that all kinds share.

    Keys at their defaults are left out. Import compares what this makes of two blocks, so that a hand-edited
    step becomes an edited configuration.
    """
    expressions: tuple[str, ...] = ()
    """Fields that hold one expression."""
    templates: tuple[str, ...] = ()
    """Fields that hold templates, at any depth."""
    yields: bool = True
    """Whether it has a value."""
