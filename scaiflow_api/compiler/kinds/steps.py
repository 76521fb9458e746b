"""What the step forms of the manifest share. Each form lives with the kind that needs it."""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.manifest.section import Section

JSON: TypeAlias = Any
Step: TypeAlias = dict[str, JSON]
"""A step of the manifest; the order of its keys is that of the text."""
WriteBody: TypeAlias = Callable[[tuple[ir.AnyBlock, ...]], list[Step]]
ReadBody: TypeAlias = Callable[[Section, str], tuple[ir.AnyBlock, ...]]
"""From a section and the key of a list of steps in it."""


ON_ERROR = ("fail", "continue")


def without_defaults(step: Step) -> Step:
    """Return the step without what is absent: null, false, and empty lists and mappings."""
    return {
        key: value for key, value in step.items() if value is not None and value not in (False, [], {}, ())
    }


def write_outputs(outputs: Iterable[ir.OutputCandidate]) -> list[Step]:
    return [without_defaults({"node": item.node_id, "unless": item.successors}) for item in outputs]


def read_outputs(section: Section, key: str) -> tuple[ir.OutputCandidate, ...]:
    return tuple(
        ir.OutputCandidate(node_id=item.text("node"), successors=item.text_items("unless"))
        for item in section.sections(key)
    )
