"""Runs a flow straight on the graph of its document, following the meaning of flows word by word.

It shares no code with the compiler. The numbers of the rules are those of the project's description of flows:
1 entries, 2 rank, 3 edges, 4 joins, 5 parallels, 6 loops, 7 output, 8 failures.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from compiler.compiler_trace import (
    JSON,
    Memory,
    Result,
    RunFailed,
    Trace,
    answer_of_a_model,
    holds,
    text_of,
    value_of,
)

Edge = dict[str, Any]
LITERALS = ("0", "1", "2", "'n1'", "-1", "[1, 2]")
"""Conditions that a decision of style `match` compares with its subject."""
WITHOUT_VALUE = ("logic_decision", "logic_parallel")


class Graph:
    """A document, looked up by what the rules ask for."""

    def __init__(self, document: JSON) -> None:
        self.document = document
        self.nodes = {node["id"]: node for node in document["nodes"]}
        self.incoming: dict[str, list[Edge]] = {node_id: [] for node_id in self.nodes}
        self.outgoing: dict[str, list[Edge]] = {node_id: [] for node_id in self.nodes}
        self.sources: dict[str, dict[str, str]] = {node_id: {} for node_id in self.nodes}
        """By node: target port → source of the data edge."""
        self._before: dict[str, set[str]] = {node_id: set() for node_id in self.nodes}
        for edge in document["edges"]:
            source, target = edge["source"]["node"], edge["target"]["node"]
            self._before[target].add(source)
            if edge["type"] == "data":
                self.sources[target][edge["target"]["port"]] = source
            else:
                self.incoming[target].append(edge)
                self.outgoing[source].append(edge)
        self._place = {node_id: place for place, node_id in enumerate(self._ranked())}

    def _ranked(self) -> Iterator[str]:
        """Rule 2: again and again the first in `nodes` of those whose predecessors are all taken."""
        waiting, taken = list(self.nodes), set[str]()
        while waiting:
            first = next(node_id for node_id in waiting if self._before[node_id] <= taken)
            waiting.remove(first)
            taken.add(first)
            yield first

    def by_rank(self, node_ids: Iterable[str]) -> list[str]:
        return sorted(node_ids, key=self._place.__getitem__)

    def kind(self, node_id: str) -> str:
        return str(self.nodes[node_id]["type"])

    def config(self, node_id: str) -> JSON:
        return self.nodes[node_id]["config"]

    def body_edges(self, node_id: str) -> list[Edge]:
        """The edges by which the rounds of a loop begin."""
        return [edge for edge in self.outgoing[node_id] if self._enters_a_body(edge)]

    def edges_within_level(self, node_id: str) -> list[Edge]:
        return [edge for edge in self.outgoing[node_id] if not self._enters_a_body(edge)]

    def _enters_a_body(self, edge: Edge) -> bool:
        source = edge["source"]
        return source["port"] == "body" and self.kind(source["node"]) == "logic_loop"

    def reachable(self, edges: Iterable[Edge]) -> set[str]:
        """Return the nodes of one level that these edges lead to; the bodies of its loops are other levels."""
        found, edges = set[str](), list(edges)
        while edges:
            node_id = edges.pop()["target"]["node"]
            if node_id not in found:
                found.add(node_id)
                edges += self.edges_within_level(node_id)
        return found


class GraphRun:
    """One run of a flow, which begins at one entry."""

    def __init__(self, graph: Graph, entry: str, given: JSON) -> None:
        self.graph = graph
        self.entry = entry
        variables = {item["name"]: item["default"] for item in graph.document["variables"]}
        self.memory = Memory(given, variables)
        self.trace = Trace(variables=variables)

    def run(self) -> Trace:
        # The run does not begin with a node that ran: an entry is never its output.
        self.memory.results[self.entry] = Result(self.memory.given)
        edges = self.graph.edges_within_level(self.entry)
        level = self.graph.reachable(edges)
        try:
            self.run_level(level, self.taken(self.entry, edges, self.memory), self.memory)
        except RunFailed:
            self.trace.failed = True
        else:
            self.trace.output = self.memory.variables.get("output", self.output_of(level, self.memory))
        return self.trace

    def run_level(self, level: set[str], taken: set[str], memory: Memory) -> set[str]:
        """Run what the taken edges lead to; return these and all edges that were taken on the way (rules 2, 4)."""
        in_branches: set[str] = set()
        for node_id in self.graph.by_rank(level):
            if node_id in in_branches or not any(
                edge["id"] in taken for edge in self.graph.incoming[node_id]
            ):
                continue
            self.trace.ran.append(node_id)
            self.trace.data.append(memory.bind_data(node_id, self.graph.sources[node_id]))
            if self.graph.kind(node_id) == "logic_parallel":
                branches = self.branches(node_id, level)
                in_branches.update(*branches.values())
                taken |= self.run_parallel(node_id, branches, memory)
            else:
                self.run_node(node_id, memory)
                taken |= self.taken(node_id, self.graph.edges_within_level(node_id), memory)
        return taken

    # Nodes (rule 8)

    def run_node(self, node_id: str, memory: Memory) -> None:
        config = self.graph.config(node_id)
        if self.graph.kind(node_id) == "logic_decision":
            memory.ran.add(node_id)
            return
        try:
            value = self.value_of_node(node_id, config, memory)
        except RunFailed:
            if config.get("on_error") != "continue":
                raise
            value = None
        fields = tuple(config.get("output_schema") or ())
        memory.record(node_id, Result(value, config.get("result_binding"), fields))

    def value_of_node(self, node_id: str, config: JSON, memory: Memory) -> JSON:
        match self.graph.kind(node_id):
            case "llm_rigid":
                return text_of(config["template"], memory.names(node_id))
            case "data_variable_set":
                value = None
                for item in config.get("assignments") or [config]:
                    value = text_of(item["value"], memory.names(node_id))
                    memory.assign(item["variable"], value)
                return value
            case "logic_loop" if config.get("style", "foreach") == "foreach":
                return self.run_foreach(node_id, config, memory)
            case "logic_loop":
                return self.run_while(node_id, config, memory)
            case _:
                return answer_of_a_model(node_id)

    # Edges (rule 3)

    def taken(self, node_id: str, edges: list[Edge], memory: Memory) -> set[str]:
        """Return which of a node's edges are taken, port by port."""
        taken: set[str] = set()
        for port in dict.fromkeys(edge["source"]["port"] for edge in edges):
            at_port = [edge for edge in edges if edge["source"]["port"] == port]
            conditional = [edge for edge in at_port if edge["type"] == "conditional"]
            chosen = next((e["id"] for e in conditional if self.holds(e["condition"], node_id, memory)), None)
            if chosen is not None:
                self.trace.chosen.append(chosen)
                taken.add(chosen)
            else:
                taken.update(edge["id"] for edge in at_port if edge["type"] == "sequential")
        return taken

    def holds(self, condition: str, node_id: str, memory: Memory) -> bool:
        config = self.graph.config(node_id)
        if config.get("style") == "match" and condition in LITERALS:
            condition = f"({config['subject']}) == {condition}"
        try:
            return holds(condition, memory.names(node_id))
        except RunFailed:
            if config.get("on_error") != "continue":
                raise
            # A loop whose round begins has no value yet that could become null.
            memory.nullify(node_id)
            return False

    # Parallels (rule 5)

    def branches(self, node_id: str, level: set[str]) -> dict[str, set[str]]:
        """Return edge → the nodes of its branch: those of the level that no other branch edge leads to.

        From the join on all nodes are reachable from two of the edges. Of a parallel in a branch of another
        the branches end where that branch ends.
        """
        reached = {edge["id"]: self.graph.reachable([edge]) & level for edge in self.graph.outgoing[node_id]}
        return {
            edge_id: nodes.difference(*(others for other, others in reached.items() if other != edge_id))
            for edge_id, nodes in reached.items()
        }

    def run_parallel(self, node_id: str, branches: dict[str, set[str]], memory: Memory) -> set[str]:
        """Run the branches, each on a copy; return the edges that they took."""
        memory.ran.add(node_id)
        taken: set[str] = set()
        copies: list[Memory] = []
        failure = None
        for edge_id, nodes in branches.items():
            copies.append(memory.copy())
            try:
                taken |= self.run_level(nodes, {edge_id}, copies[-1])
            except RunFailed as failed:
                self.trace.cut_short = True
                failure = failed
                if self.graph.config(node_id).get("fail_fast", True):
                    break
        if failure is not None:
            raise failure
        results = {source: result for copy in copies for source, result in copy.results.items()}
        for source in self.graph.by_rank(results.keys() - memory.results.keys()):
            memory.record(source, results[source])
        for copy in copies:
            memory.ran |= copy.ran
            memory.merge_variables(copy)
        return taken

    # Loops (rule 6)

    def run_foreach(self, node_id: str, config: JSON, memory: Memory) -> JSON:
        items = value_of(config["items"], memory.names(node_id))
        if not isinstance(items, list):
            raise RunFailed
        concurrent = config.get("max_concurrent", 1) > 1
        most = config.get("max_iterations", len(items))
        rounds = []
        for index, item in enumerate(items[:most]):
            variables = {config.get("item_var", "item"): item}
            if "index_var" in config:
                variables[config["index_var"]] = index
            rounds.append((memory.copy() if concurrent else memory).round(variables))
        try:
            outputs = [self.run_round(node_id, config, own) for own in rounds]
        except RunFailed:
            self.trace.cut_short |= concurrent
            raise
        if len(items) > most:
            raise RunFailed
        if concurrent:
            for own in rounds:
                memory.merge_variables(own)
        return outputs

    def run_while(self, node_id: str, config: JSON, memory: Memory) -> JSON:
        last, output = memory, None
        for _ in range(config["max_iterations"]):
            if not holds(config["condition"], last.names(node_id)):
                return output
            last = memory.round({})
            output = self.run_round(node_id, config, last)
        if holds(config["condition"], last.names(node_id)):
            raise RunFailed
        return output

    def run_round(self, node_id: str, config: JSON, memory: Memory) -> JSON:
        """Run one round; return its output."""
        edges = self.graph.body_edges(node_id)
        level = self.graph.reachable(edges)
        self.run_level(level, self.taken(node_id, edges, memory), memory)
        if "collect" in config:
            return value_of(config["collect"], memory.names(node_id))
        return self.output_of(level, memory)

    # Output (rule 7)

    def output_of(self, level: set[str], memory: Memory) -> JSON:
        """Return what a level yields without the variable `output`."""
        for node_id in reversed(self.graph.by_rank(level & memory.ran)):
            followers = {edge["target"]["node"] for edge in self.graph.edges_within_level(node_id)}
            if self.graph.kind(node_id) not in WITHOUT_VALUE and not followers & memory.ran:
                return memory.results[node_id].value
        return None
