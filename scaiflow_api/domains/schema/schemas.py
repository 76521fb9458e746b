"""Node kinds over the wire."""

from typing import Any

from scaiflow_api.web.schemas import AnswerModel


class PortItem(AnswerModel):
    """A port that nodes of a kind have where they declare none themselves."""

    id: str
    label: str
    type: str


class NodeKindItem(AnswerModel):
    """A node kind: how the palette shows it, and what its nodes hold."""

    kind: str
    category: str
    colour: str
    title: str
    description: str
    config: dict[str, Any]
    """The JSON Schema (draft 2020-12) of the `config` of its nodes, with defaults and descriptions."""
    inputs: list[PortItem]
    outputs: list[PortItem]
    expressions: list[str]
    """Fields of `config` that hold one expression."""
    templates: list[str]
    """Fields of `config` that hold templates, at any depth."""
    yields: bool
    """Whether its nodes have a value. Entries have none: they hand on the run's input."""
