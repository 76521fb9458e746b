"""SF0xx: the document does not have the shape of a flow. Found by `scaiflow_api.flowgraph`; stops the rest."""

from scaiflow_api.compiler.diagnostics import ERROR, Diagnostic, Rule
from scaiflow_api.flowgraph import Problem

TEMPLATE = "{message}"

RULES = (
    Rule(
        "SF001",
        "not-a-flow",
        TEMPLATE,
        what="The document is not a JSON object, or holds something that is not JSON.",
        why="There is nothing to check.",
        example=["not", "a", "flow"],
    ),
    Rule(
        "SF002",
        "missing-field",
        TEMPLATE,
        what="A field that every flow, node, edge, variable or fixture has is absent.",
        why="The canvas and the compiler could not say what is meant.",
        example={"variables": [{"type": "int"}]},
    ),
    Rule(
        "SF003",
        "wrong-type",
        TEMPLATE,
        what="A field holds another type of value than the schema says.",
        why="Types are exact: `true` is no number and `5` is no text.",
        example={"config": {"publish_as_model": "yes"}},
    ),
    Rule(
        "SF004",
        "wrong-value",
        TEMPLATE,
        what="A field has the right type and a value that the schema excludes.",
        why="Names must match their pattern, numbers their range, choices their list.",
        example={"version": "1.0"},
    ),
    Rule(
        "SF005",
        "duplicate-name",
        TEMPLATE,
        what="An id, variable, fixture, model role or queue occurs twice.",
        why="Whatever refers to it would be ambiguous.",
        example={"variables": [{"name": "count", "type": "int"}, {"name": "count", "type": "int"}]},
    ),
    Rule(
        "SF006",
        "unknown-kind",
        TEMPLATE,
        what="A node has a type that is not one of the 24 kinds.",
        why="The list of kinds is closed.",
        example={
            "nodes": [{"id": "node_a", "type": "llm_flexibel", "label": "A", "position": {"x": 0, "y": 0}}]
        },
    ),
    Rule(
        "SF007",
        "bad-text",
        TEMPLATE,
        what="A text or key holds a NUL character or half of a surrogate pair.",
        why="Databases and other JSON readers refuse or change such text.",
        example={"name": "Echo\0Agent"},
    ),
    Rule(
        "SF008",
        "bad-number",
        TEMPLATE,
        what="A number is an integer beyond ±2^53, infinite, or not a number.",
        why="Other JSON readers would change it in silence.",
        example={"metadata": {"revision": 9007199254740993}},
    ),
)


def diagnostic(problem: Problem) -> Diagnostic:
    ids = problem.node_id, problem.edge_id
    return Diagnostic(ERROR, problem.code, problem.message, problem.path or None, *ids, problem.fix)
