"""SF217, SF218: what the document says of itself."""

from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import FlowView
from scaiflow_api.flowgraph.models import SCHEMA_ID

FOREIGN_SCHEMA = Rule(
    "SF217",
    "foreign-schema",
    "the flow says that it follows '{schema}', which is not the schema of flows",
    severity=WARNING,
    what="`$schema` names another schema than that of version 2.",
    why="It may have been written for another version; what that means otherwise is not noticed here.",
    example={"$schema": "https://scailabs.com/schemas/scaiflow/v1.json"},
)
NAMELESS_FLOW = Rule(
    "SF218",
    "nameless-flow",
    "the flow has no name, so its Core is called '{id}'",
    severity=WARNING,
    what="The flow's name is empty, or has nothing but spaces.",
    why="Nobody finds it in a list, and its Core is called after its id.",
    example={"name": " "},
)
RULES = (FOREIGN_SCHEMA, NAMELESS_FLOW)


def check(view: FlowView, sink: Sink) -> None:
    graph = view.graph
    if graph.schema_ not in (None, SCHEMA_ID):
        fix = f"write '{SCHEMA_ID}', or leave '$schema' out"
        sink.report(FOREIGN_SCHEMA, "$schema", fix=fix, schema=graph.schema_)
    if not graph.name.strip():
        sink.report(NAMELESS_FLOW, "name", fix="give it a name", id=graph.id)
