"""Two ways to run a flow, which must agree: straight on the graph of the document, and block by block on the IR.

Models are replaced by a value that tells which node was asked. Neither way shares code with the compiler: the
first follows the meaning of flows word by word, the second is the smallest runtime that the IR allows.
"""

from dataclasses import dataclass, field
from typing import Any

from scaiflow_api.compiler import ir
from scaiflow_api.expressions import EvaluationError, evaluate, parse, parse_template, render, truthy

JSON = Any


class RunFailed(Exception):
    pass


@dataclass
class Trace:
    """What can be seen of a run."""

    ran: list[str] = field(default_factory=list)
    data: dict[str, dict[str, JSON]] = field(default_factory=dict)
    """By node: the values that its data edges bound."""
    chosen: list[str] = field(default_factory=list)
    """The conditional edges that were taken."""
    variables: dict[str, JSON] = field(default_factory=dict)
    failed: bool = False
    output: JSON = None


def answer_of_a_model(node_id: str) -> JSON:
    return {"from": node_id}


def text(template: JSON, scope: dict[str, JSON]) -> JSON:
    return render(parse_template(template), scope) if isinstance(template, str) else template


# Straight on the graph


class GraphRun:
    """Follows the rules on the document itself."""

    def __init__(self, document: JSON, entry: str, given: JSON) -> None:
        self.nodes = {node["id"]: node for node in document["nodes"]}
        self.order = [node["id"] for node in document["nodes"]]
        self.edges = document["edges"]
        self.given = given
        self.entry = entry
        self.trace = Trace(variables={item["name"]: item["default"] for item in document["variables"]})
        self.values: dict[str, JSON] = {entry: given}
        self.taken: set[str] = set()

    def run(self) -> Trace:
        try:
            self.leave(self.entry)
            for node_id in self.ranked():
                incoming = [edge for edge in self.edges if edge["target"]["node"] == node_id]
                if any(edge["id"] in self.taken for edge in incoming):
                    self.run_node(node_id)
                    self.leave(node_id)
        except RunFailed:
            self.trace.failed = True
        else:
            self.trace.output = self.output()
        return self.trace

    def ranked(self) -> list[str]:
        """Rule 2: again and again the first in `nodes` of those whose predecessors are all taken."""
        done: list[str] = []
        while len(done) < len(self.order):
            done.append(
                next(
                    node_id
                    for node_id in self.order
                    if node_id not in done
                    and all(
                        edge["source"]["node"] in done
                        for edge in self.edges
                        if edge["target"]["node"] == node_id
                    )
                )
            )
        return done

    def local(self, node_id: str) -> dict[str, JSON]:
        return {
            edge["target"]["port"]: self.values.get(edge["source"]["node"])
            for edge in self.edges
            if edge["type"] == "data" and edge["target"]["node"] == node_id
        }

    def scope(self, node_id: str) -> dict[str, JSON]:
        return {
            **self.given,
            "input": self.given,
            **self.trace.variables,
            **self.values,
            **(self.local(node_id) if node_id != self.entry else {}),
        }

    def run_node(self, node_id: str) -> None:
        node = self.nodes[node_id]
        config = node["config"]
        self.trace.ran.append(node_id)
        self.trace.data[node_id] = self.local(node_id)
        value = None
        try:
            if node["type"] == "llm_rigid":
                value = text(config["template"], self.scope(node_id))
            elif node["type"] == "data_variable_set":
                value = text(config["value"], self.scope(node_id))
                self.trace.variables[config["variable"]] = value
            elif node["type"] != "logic_decision":
                value = answer_of_a_model(node_id)
        except EvaluationError:
            if config.get("on_error") != "continue":
                raise RunFailed from None
        self.values[node_id] = value

    def leave(self, node_id: str) -> None:
        """Rule 3: which edges are taken."""
        leaving = [e for e in self.edges if e["source"]["node"] == node_id and e["type"] != "data"]
        for port in dict.fromkeys(edge["source"]["port"] for edge in leaving):
            at_port = [edge for edge in leaving if edge["source"]["port"] == port]
            chosen = next(
                (e for e in at_port if e["type"] == "conditional" and self.holds(e["condition"], node_id)),
                None,
            )
            if chosen is not None:
                self.trace.chosen.append(chosen["id"])
                self.taken.add(chosen["id"])
            else:
                self.taken.update(edge["id"] for edge in at_port if edge["type"] == "sequential")

    def holds(self, condition: str, node_id: str) -> bool:
        config = self.nodes[node_id]["config"]
        scope = self.scope(node_id)
        try:
            if config.get("style") == "match" and condition in ("0", "1", "2", "'n1'", "-1", "[1, 2]"):
                return evaluate(parse(f"({config['subject']}) == {condition}"), scope) is True
            return truthy(evaluate(parse(condition), scope))
        except EvaluationError:
            if config.get("on_error") != "continue":
                raise RunFailed from None
            self.values[node_id] = None
            return False

    def output(self) -> JSON:
        """Rule 7."""
        if "output" in self.trace.variables:
            return self.trace.variables["output"]
        ran = set(self.trace.ran)
        for node_id in reversed(self.trace.ran):
            followers = {
                edge["target"]["node"]
                for edge in self.edges
                if edge["source"]["node"] == node_id and edge["type"] != "data"
            }
            if self.nodes[node_id]["type"] != "logic_decision" and not followers & ran:
                return self.values[node_id]
        return None


# Block by block


class ModuleRun:
    """Walks the IR; knows nothing of the document."""

    def __init__(self, module: ir.Module, entry: str, given: JSON) -> None:
        trigger = next(item for item in module.triggers if item.node_id == entry)
        self.flow = next(item for item in module.flows if item.name == trigger.target_flow)
        self.given = given
        self.trace = Trace(variables={item["name"]: item["default"] for item in module.variables})
        self.trace.variables[ir.ENTRY_NAME] = entry
        self.values: dict[str, JSON] = {entry: given}
        self.locals: dict[str, dict[str, JSON]] = {}

    def run(self) -> Trace:
        try:
            self.body(self.flow.body)
        except RunFailed:
            self.trace.failed = True
        else:
            self.trace.output = self.output()
        for name in [name for name in self.trace.variables if name.startswith(ir.RESERVED_PREFIX)]:
            del self.trace.variables[name]
        return self.trace

    def body(self, blocks: tuple[ir.AnyBlock, ...]) -> None:
        for block in blocks:
            if block.node_id is not None:
                self.enter(block.node_id, block)
            match block:
                case ir.MatchBlock():
                    self.match(block)
                case ir.RigidBlock():
                    self.rigid(block)
                case ir.ModelBlock():
                    self.values[str(block.node_id)] = answer_of_a_model(str(block.node_id))

    def enter(self, node_id: str, block: ir.AnyBlock) -> None:
        assert node_id not in self.trace.ran, "a node runs once"
        self.trace.ran.append(node_id)
        self.locals[node_id] = {port: self.values.get(source) for port, source in block.data_bindings.items()}
        self.trace.data[node_id] = self.locals[node_id]
        self.values[node_id] = None

    def scope(self, node_id: str | None) -> dict[str, JSON]:
        local = self.locals.get(node_id, {}) if node_id else {}
        return {**self.given, "input": self.given, **self.trace.variables, **self.values, **local}

    def rigid(self, block: ir.RigidBlock) -> None:
        value = None
        try:
            for statement in block.statements:
                template = (
                    statement.value if isinstance(statement, ir.AssignStatement) else statement.expression
                )
                value = text(template, self.scope(block.node_id))
                if isinstance(statement, ir.AssignStatement):
                    self.trace.variables[statement.name] = value
        except EvaluationError:
            if block.on_error != "continue":
                raise RunFailed from None
            value = None
        if block.node_id is not None:
            self.values[block.node_id] = value

    def match(self, block: ir.MatchBlock) -> None:
        for arm in block.arms:
            if self.holds(block, arm):
                if arm.edge_id is not None:
                    self.trace.chosen.append(arm.edge_id)
                self.body(arm.body)
                return
        self.body(block.else_body)

    def holds(self, block: ir.MatchBlock, arm: ir.MatchArm) -> bool:
        node_id = block.source_location.node_id
        scope = self.scope(node_id)
        try:
            value = evaluate(parse(arm.condition), scope)
            if arm.compares:
                assert block.subject is not None
                return bool(evaluate(parse(block.subject), scope) == value)
            return truthy(value)
        except EvaluationError:
            if block.on_error != "continue":
                raise RunFailed from None
            self.values[str(node_id)] = None
            return False

    def output(self) -> JSON:
        if "output" in self.trace.variables:
            return self.trace.variables["output"]
        for candidate in self.flow.outputs:
            if candidate.node_id in self.trace.ran and not set(candidate.successors) & set(self.trace.ran):
                return self.values[candidate.node_id]
        return None
