"""SF310, SF312: values against the types that the flow declares."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from scaiflow_api.compiler.analysis.inference import Fault, Inference
from scaiflow_api.compiler.analysis.scope import Scope
from scaiflow_api.compiler.analysis.shapes import JSON, WORDS, Shape, misfit, of_type
from scaiflow_api.compiler.analysis.typed_names import TypedNames
from scaiflow_api.compiler.analysis.types import TypeSyntaxError, parse_type
from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import FlowView
from scaiflow_api.compiler.graph.regions import Regions
from scaiflow_api.compiler.kinds.data_variable_set import DataVariableSetConfig
from scaiflow_api.compiler.kinds.logic_decision import compares
from scaiflow_api.compiler.rules.expressions import Use
from scaiflow_api.compiler.suggest import Suggestions
from scaiflow_api.expressions.wording import excerpt

PLACE = {"position": {"x": 0, "y": 0}}


def _after_classify(node: dict[str, object]) -> dict[str, object]:
    """Return the nodes and edges of an example: an entry, a model call with two typed fields, and the node."""
    schema = {"intent": "enum[question, complaint]", "score": "float"}
    classify = {"goal": "Classify.", "output_schema": schema}
    ends = [("node_entry", "out_request", "node_classify"), ("node_classify", "out", "node_answer")]
    return {
        "nodes": [
            {"id": "node_entry", "type": "entry_api", "label": "API", **PLACE},
            {"id": "node_classify", "type": "llm_flexible", "label": "Classify", **PLACE, "config": classify},
            {"id": "node_answer", "label": "Answer", **PLACE, **node},
        ],
        "edges": [
            {
                "id": f"edge_{number}",
                "type": "sequential",
                "source": {"node": source, "port": port},
                "target": {"node": target, "port": "in"},
            }
            for number, (source, port, target) in enumerate(ends, 1)
        ],
    }


CANNOT_HOLD = Rule(
    "SF310",
    "against-its-type",
    "{owner}: {field}: in `{source}`, {problem}",
    severity=WARNING,
    what=(
        "An expression does with a value what its declared type excludes: compares it with what it can never be, "
        "calculates with a text, calls a method that it does not have, takes a field that it lacks, or goes "
        "through what is no list. Or it calls a method that no value has, or with arguments that it does not take. "
        "Types come from `output_schema`, `input_schema`, `variables`, and from what "
        "kinds of nodes yield; where nothing is declared, nothing is reported."
    ),
    why="It has no value at run time, or always the same one.",
    example=_after_classify(
        {"type": "llm_guarded", "config": {"goal": "Answer.", "guard": "classify.intent == 'complain'"}}
    ),
)
WRONG_ASSIGNMENT = Rule(
    "SF312",
    "assigned-against-its-type",
    "node '{node}' assigns to '{name}', which is {type}: {problem}",
    severity=WARNING,
    what="A `data_variable_set` node assigns a value that the variable's declared type does not have.",
    why="Whatever reads the variable counts on its type.",
    example={
        **_after_classify(
            {"type": "data_variable_set", "config": {"variable": "attempts", "value": "three"}}
        ),
        "variables": [{"name": "attempts", "type": "int", "default": 0}],
    },
)

RULES = (CANNOT_HOLD, WRONG_ASSIGNMENT)

RECEIVING_KINDS = frozenset({"data_variable_set", "logic_loop", "logic_decision"})
"""Kinds that expect values of some type, so that literals alone can be wrong."""


def check(view: FlowView, regions: Regions, scope: Scope, uses: Sequence[Use], sink: Sink) -> None:
    names = TypedNames(view, regions, scope, uses)
    suggestions = Suggestions()
    subjects = {use.place.node: use for use in uses if use.place.field == "subject"}
    assigned: dict[str, Shape] = {}
    for use in uses:
        if (
            use.names.isdisjoint(names.typed)
            and use.place.owner.type not in RECEIVING_KINDS
            and "(" not in use.read.source
        ):
            continue
        inference = Inference(names.known(use.place), suggestions, _offered(use, scope))
        shape = inference.read(use.read)
        faults = [*inference.faults, *_check_items(use, shape)]
        subject = subjects.get(use.place.node)
        if subject is not None and use.place.edge is not None and shape is not None:
            known = Inference(names.known(subject.place), suggestions).read(subject.read)
            faults += _check_match(use, shape, subject, known, suggestions)
        for fault in dict.fromkeys(faults):
            use.place.report(CANNOT_HOLD, sink, fix=fault.fix, source=fault.source, problem=fault.problem)
        if shape is not None and use.place.owner.type == "data_variable_set":
            assigned[use.place.path] = shape
    _check_assignments(view, scope, assigned, sink)


def _offered(use: Use, scope: Scope) -> Callable[[str], bool]:
    """Return whether something offers a name; with an `input_schema`, names that nothing offers are told anyway."""
    own = scope.own_names(use.place)
    return lambda name: (
        scope.input_schema is not None or name in scope.known or name in scope.loops or name in own
    )


def _check_items(use: Use, shape: Shape | None) -> Iterator[Fault]:
    if use.place.field != "items" or not use.place.is_of_loop:
        return
    if shape is not None and shape.sort != "list":
        yield Fault(excerpt(use.read.source), f"a loop goes through a list, and this is {shape}")


def _check_match(
    use: Use, shape: Shape, subject: Use, known: Shape | None, suggestions: Suggestions
) -> Iterator[Fault]:
    """Yield what is wrong with a literal condition that is compared with the subject of a decision."""
    if known is None or known.literal or not compares(use.read.source):
        return
    problem = f"this is compared with `{excerpt(subject.read.source)}`, which is {known}"
    if known.sort != shape.sort:
        yield Fault(excerpt(use.read.source), problem)
    elif known.choices and shape.choices and shape.choices[0] not in known.choices:
        fix = suggestions.did_you_mean(shape.choices[0], known.choices)
        yield Fault(excerpt(use.read.source), problem, fix)


def _check_assignments(view: FlowView, scope: Scope, assigned: Mapping[str, Shape], sink: Sink) -> None:
    for index, config in view.configs.items():
        if not isinstance(config, DataVariableSetConfig):
            continue
        node = view.nodes[index]
        for where, item in config.places():
            variable = scope.variables.get(item.variable)
            if variable is None:
                continue
            path = f"{node.path}.config.{where.removesuffix('variable')}value"
            problem = _misassigned(item.value, assigned.get(path), variable.type)
            if problem is not None:
                names = {"node": node.id, "name": variable.name, "type": variable.type, "problem": problem}
                fix = "assign a value of that type, or declare the variable otherwise"
                sink.report(WRONG_ASSIGNMENT, path, node_id=node.id, fix=fix, **names)


def _misassigned(value: JSON, shape: Shape | None, type_: str) -> str | None:
    """Return why a value, or what the template in it yields, is not of a type."""
    try:
        wanted = parse_type(type_)
    except TypeSyntaxError:
        return None
    expected = of_type(wanted)
    if shape is None or expected is None:
        return misfit(value, wanted)
    if shape.sort != expected.sort:
        return f"`{excerpt(value)}` is {WORDS[shape.sort]}"
    if shape.choices and expected.choices and not set(shape.choices) & set(expected.choices):
        return f"`{excerpt(value)}` is {shape}"
    return None
