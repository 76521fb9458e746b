"""SF6xx: what an import could not take over as it stands. Found in manifests, not in documents.

Unlike those of other families, the examples are whole manifests.
"""

from scaiflow_api.compiler.diagnostics import WARNING, Rule


def _manifest(steps: str, graph: str = "", core: str = "") -> str:
    return f"""core:
  name: greeter
  model: scaigrid/openai/gpt-4o
{core}  flows:
    - name: greeter
      trigger: {{type: api, node_id: node_api}}
      steps:
{steps}{graph}"""


def _graph(nodes: str, edges: str = "") -> str:
    """Return a graph with an entry, and with what is given besides."""
    return f"""  scaiflow_meta:
    graph:
      document:
        id: flow_greeter
        name: greeter
        version: "1.0.0"
        config: {{core_identity: {{models: [{{role: primary, ref: scaigrid, model: openai/gpt-4o}}]}}}}
      nodes:
        node_api: {{type: entry_api, label: API, position: {{x: 0, y: 0}}}}
{nodes}      edges:
        - {{id: edge_1, type: sequential,
            source: {{node: node_api, port: out_request}}, target: {{node: node_a, port: in}}}}
{edges}"""


def _step(name: str) -> str:
    meta = f"node_id: node_{name}, node_kind: llm_rigid, node_config: {{template: {name}}}"
    return f"        - rigid: {name}\n          meta: {{{meta}}}\n"


def _node(name: str, position: int) -> str:
    return f"        node_{name}: {{position: {{x: 200, y: {position}}}}}\n"


_A_TO_B = """        - {id: edge_2, type: sequential,
            source: {node: node_a, port: out}, target: {node: node_b, port: in}}
"""

EDITED = Rule(
    "SF601",
    "edited-by-hand",
    "{what}: the manifest says otherwise about {keys} than the flow it was made from; it was taken over",
    severity=WARNING,
    what="A step, a trigger, an edge's condition or a key of `core` was edited in the manifest.",
    why="What the manifest says is what runs, so it wins over the flow that the manifest carries.",
    example=_manifest(
        "        - rigid: Good evening.\n"
        "          meta:\n"
        "            node_id: node_a\n"
        "            node_kind: llm_rigid\n"
        "            node_label: Greet\n"
        "            node_config: {template: Good morning.}\n"
    ),
)
REMOVED = Rule(
    "SF602",
    "removed-by-hand",
    "{what} has no {counterpart} in the manifest any more; it was removed from the flow",
    severity=WARNING,
    what="A step, trigger, arm or branch was deleted from the manifest.",
    why="A node goes together with its edges. The steps around it are connected as they now stand.",
    example=_manifest(_step("a"), _graph(_node("a", 0) + _node("b", 120), _A_TO_B)),
)
UNKNOWN_STEP = Rule(
    "SF603",
    "step-without-node",
    "{place}: {reason}; it is kept in metadata.unknown_steps",
    severity=WARNING,
    what="A step has no `meta`, or a form that no node kind has.",
    why="What node it should be can only be guessed. It is kept as it stands, and takes no part in the flow.",
    example=_manifest("        - shell: make coffee\n" + _step("a")),
)
UNKNOWN_KEYS = Rule(
    "SF604",
    "unknown-manifest-keys",
    "{place}: {keys} {outcome}",
    severity=WARNING,
    what=(
        "A step, an arm, a trigger, a flow, `scaiflow_meta` or `core` has keys that mean nothing there; or the "
        "first model of `scaiflow_meta` is not `core.model`."
    ),
    why="They are left out, but for those of `core`, which are kept in `metadata.unknown_core`.",
    example=_manifest(_step("a"), core="  colour: green\n"),
)
REARRANGED = Rule(
    "SF605",
    "rearranged-by-hand",
    "flow '{flow}': its steps stand in another order or nesting than the graph says; the graph's edges were kept",
    severity=WARNING,
    what="Steps were moved, or what they were nested in was changed.",
    why="Edges are not derived from steps while the manifest carries the edges themselves.",
    example=_manifest(_step("b") + _step("a"), _graph(_node("a", 0) + _node("b", 120), _A_TO_B)),
)
ADDED = Rule(
    "SF606",
    "added-by-hand",
    "{what} is not in the flow that the manifest was made from; it was added",
    severity=WARNING,
    what="A step or trigger was added to a manifest that carries a graph.",
    why="It becomes a node below all others, connected to the steps before and after it.",
    example=_manifest(_step("a") + _step("b"), _graph(_node("a", 0))),
)
GUESSED = Rule(
    "SF607",
    "guessed-edges",
    "the edges could only be guessed from the steps; the flow may not do all that the manifest does",
    severity=WARNING,
    what="The steps of a manifest without graph could not be drawn so that exactly the same steps follow from it.",
    why=(
        "Steps tell the order of nodes and most conditions, not every edge. What is drawn is compiled again and "
        "compared with the manifest; where it differs, be it only in its form, this is said."
    ),
    example=_manifest(_step("a") + _step("b") + "      outputs: [{node: node_a}, {node: node_b}]\n"),
)

RULES = (EDITED, REMOVED, UNKNOWN_STEP, UNKNOWN_KEYS, REARRANGED, ADDED, GUESSED)
