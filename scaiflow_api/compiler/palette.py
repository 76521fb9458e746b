"""The palette: every node kind as data, so that an editor needs no copy of the list."""

from typing import Any

from msgspec import Struct
from pydantic.json_schema import GenerateJsonSchema

from scaiflow_api.compiler.kinds import KINDS, EntryKind, StepKind
from scaiflow_api.compiler.kinds.base import NodeConfig, Port
from scaiflow_api.flowgraph.schema import Documented


class PaletteEntry(Struct, frozen=True):
    """One node kind, as an editor shows it."""

    kind: str
    category: str
    colour: str
    title: str
    description: str
    config: dict[str, Any]
    """The JSON Schema (draft 2020-12) of its `config`, with defaults and descriptions."""
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    """The ports of nodes that declare none themselves."""
    expressions: tuple[str, ...]
    """Fields of `config` that hold one expression."""
    templates: tuple[str, ...]
    """Fields of `config` that hold templates, at any depth."""
    yields: bool
    """Whether its nodes have a value. Entries have none: they hand on the run's input."""


def palette() -> tuple[PaletteEntry, ...]:
    """Return all kinds in the order of the palette: those of one category stand together."""
    return tuple(_entry(kind) for kind in KINDS.values())


def _entry(kind: EntryKind | StepKind) -> PaletteEntry:
    step = kind if isinstance(kind, StepKind) else None
    return PaletteEntry(
        kind=kind.name,
        category=kind.category.name,
        colour=kind.category.colour,
        title=kind.title,
        description=kind.description,
        config=_config_schema(kind.config),
        inputs=kind.inputs,
        outputs=kind.outputs,
        expressions=step.expressions if step else (),
        templates=step.templates if step else (),
        yields=step is not None and step.yields,
    )


def _config_schema(config: type[NodeConfig]) -> dict[str, Any]:
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **config.model_json_schema(schema_generator=Documented),
    }
