"""SF507 to SF512, SF515, SF516: the queues, sandboxes and people that nodes work with."""

from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import FlowNode, FlowView, short_id
from scaiflow_api.compiler.graph.sandboxes import PROVISION, nearest_provision
from scaiflow_api.compiler.kinds.hitl_review import HitlReviewConfig
from scaiflow_api.compiler.kinds.pause import ON_TIMEOUT, PauseConfig
from scaiflow_api.compiler.suggest import Suggestions
from scaiflow_api.flowgraph import QueueTopology

PLACE = {"position": {"x": 0, "y": 0}}
QUEUE_KINDS = frozenset({"queue_publish", "queue_consume", "queue_escalation", "hitl_review"})
DESTROY = "compute_destroy"
SANDBOX_KINDS = frozenset({"compute_exec", "compute_file_upload", "compute_file_download", DESTROY})
EPHEMERAL = "ephemeral"


def _answer(kind: str, config: dict[str, object], *queues: str) -> dict[str, object]:
    entry = {"id": "node_entry", "type": "entry_api", "label": "API", **PLACE}
    node = {"id": "node_answer", "type": kind, "label": "Answer", **PLACE, "config": config}
    topology = {"scope": "support", "queues": [{"slug": queue} for queue in queues]}
    return {"nodes": [entry, node], **({"config": {"scaiqueue": topology}} if queues else {})}


UNKNOWN_QUEUE = Rule(
    "SF507",
    "unknown-queue",
    "node '{node}': the queue '{queue}' is not in the flow's topology",
    severity=WARNING,
    what="A node uses a queue of the flow's scope that `config.scaiqueue.queues` does not list.",
    why="Deploying makes sure that the listed queues exist, and no others.",
    example=_answer("queue_consume", {"queue": "reveiw"}, "review"),
)
MISSING_SCOPE = Rule(
    "SF508",
    "missing-scope",
    "node '{node}' names no scope, and the flow has none",
    severity=WARNING,
    what="Neither a node that uses a queue nor `config.scaiqueue` says which scope the queue is in.",
    why="The message cannot be routed.",
    example=_answer("queue_consume", {"queue": "review"}),
)
QUEUES_WITHOUT_SCOPE = Rule(
    "SF516",
    "queues-without-scope",
    "config.scaiqueue lists queues, and no scope for them",
    severity=WARNING,
    what="`config.scaiqueue` has `queues` and no `scope`. Where a node misses the scope, SF508 says it.",
    why="Deploying would not know where to make the queues, and fails.",
    example={"config": {"scaiqueue": {"queues": [{"slug": "review"}]}}},
)
NO_SANDBOX = Rule(
    "SF509",
    "no-sandbox",
    "node '{node}' works in a sandbox, and none is provisioned before it",
    severity=WARNING,
    what="A compute node names no `bunker`, and no `compute_provision` node leads to it.",
    why="There would be nothing to work in.",
    example=_answer("compute_exec", {"command": ["date"]}),
)
SANDBOX_REMAINS = Rule(
    "SF510",
    "sandbox-remains",
    "node '{node}' provisions a sandbox with lifecycle '{lifecycle}' that nothing destroys",
    severity=WARNING,
    what="No `compute_destroy` node follows a sandbox that does not end with its run.",
    why="It goes on to use the tenant's quota.",
    example=_answer("compute_provision", {"lifecycle": "persistent"}),
)
NO_DEADLINE = Rule(
    "SF511",
    "answer-without-deadline",
    "node '{node}': on_timeout has no effect without a timeout",
    severity=WARNING,
    what="A node that waits for a person says what happens when time runs out, and not when that is.",
    why="It waits for as long as it takes.",
    example=_answer("checkpoint", {"prompt": "Go on?", "on_timeout": "escalate"}),
)
NOTHING_ASKED = Rule(
    "SF512",
    "nothing-asked",
    "node '{node}': the form has nothing to fill in and nothing to decide",
    severity=WARNING,
    what="The `sections` of a `hitl_review` have neither an `input` nor a `decision`.",
    why="A person who sees the form can give no answer.",
    example=_answer("hitl_review", {"queue": "review", "sections": []}, "review"),
)

SANDBOX_IS_TEXT = Rule(
    "SF515",
    "sandbox-without-braces",
    "node '{node}': config.bunker is the text '{text}', not the sandbox of that node",
    severity=WARNING,
    what="The `bunker` of a compute node is the id of a `compute_provision` node, without `{{ }}` around it.",
    why="A text is the id of a sandbox, and no sandbox has this one.",
    example={
        "nodes": [
            {"id": "node_entry", "type": "entry_api", "label": "API", **PLACE},
            {"id": "node_box", "type": "compute_provision", "label": "Box", **PLACE},
            {
                "id": "node_run",
                "type": "compute_exec",
                "label": "Run",
                **PLACE,
                "config": {"command": ["date"], "bunker": "node_box"},
            },
        ],
        "edges": [
            {
                "id": f"edge_{number}",
                "type": "sequential",
                "source": {"node": source, "port": port},
                "target": {"node": target, "port": "in"},
            }
            for number, (source, port, target) in enumerate(
                [("node_entry", "out_request", "node_box"), ("node_box", "out", "node_run")], 1
            )
        ],
    },
)

RULES = (
    UNKNOWN_QUEUE,
    MISSING_SCOPE,
    QUEUES_WITHOUT_SCOPE,
    NO_SANDBOX,
    SANDBOX_REMAINS,
    NO_DEADLINE,
    NOTHING_ASKED,
    SANDBOX_IS_TEXT,
)


def check(view: FlowView, sink: Sink) -> None:
    suggestions = Suggestions()
    topology = view.graph.config.scaiqueue
    listed = frozenset(item.slug for item in topology.queues) if topology else frozenset[str]()
    scopeless = False
    for node in view.nodes:
        if node.type in QUEUE_KINDS:
            scopeless |= _check_queue(node, topology, listed, suggestions, sink)
        _check_pause(node, view, sink)
    if listed and topology is not None and not topology.scope and not scopeless:
        fix = "set config.scaiqueue.scope"
        sink.report(QUEUES_WITHOUT_SCOPE, "config.scaiqueue.scope", fix=fix)
    if any(node.type == PROVISION or node.type in SANDBOX_KINDS for node in view.nodes):
        _check_sandboxes(view, sink)


def _check_queue(
    node: FlowNode,
    topology: QueueTopology | None,
    listed: frozenset[str],
    suggestions: Suggestions,
    sink: Sink,
) -> bool:
    """Report what is wrong with the queue of a node; return whether it has no scope."""
    queue, scope = node.config.get("queue"), node.config.get("scope")
    scopeless = scope is None and (topology is None or not topology.scope)
    if scopeless:
        fix = "set config.scaiqueue.scope"
        sink.report(MISSING_SCOPE, f"{node.path}.config.scope", node_id=node.id, fix=fix, node=node.id)
    if topology is None or not isinstance(queue, str) or "{{" in queue:
        return scopeless
    if listed and queue not in listed and scope in (None, topology.scope):
        fix = suggestions.did_you_mean(queue, listed) or "add it to config.scaiqueue.queues"
        path = f"{node.path}.config.queue"
        sink.report(UNKNOWN_QUEUE, path, node_id=node.id, fix=fix, node=node.id, queue=queue)
    return scopeless


def _check_pause(node: FlowNode, view: FlowView, sink: Sink) -> None:
    config = view.configs.get(node.index)
    if isinstance(config, PauseConfig) and config.timeout is None and config.on_timeout != ON_TIMEOUT:
        path = f"{node.path}.config.on_timeout"
        sink.report(NO_DEADLINE, path, node_id=node.id, fix="set a timeout, such as 24h", node=node.id)
    if isinstance(config, HitlReviewConfig) and all(item.answers is None for item in config.sections):
        fix = "add a section of type decision"
        sink.report(NOTHING_ASKED, f"{node.path}.config.sections", node_id=node.id, fix=fix, node=node.id)


def _check_sandboxes(view: FlowView, sink: Sink) -> None:
    """Check the compute nodes. Left out are those on and behind a cycle, and those that nothing leads to as it is."""
    ranked = [node for node in view.ranked if node in view.reached and node not in view.displaced]
    provided = nearest_provision(view)
    boxes = (node.id for node in view.nodes if node.type == PROVISION)
    names = {name: node_id for node_id in boxes for name in (node_id, short_id(node_id))}
    ending = _before_a_destroy(view, ranked)
    bunker = view.graph.config.bunker
    default = (bunker.lifecycle if bunker else None) or EPHEMERAL
    for index in ranked:
        node = view.nodes[index]
        config = node.config
        if node.type in SANDBOX_KINDS and config.get("bunker") is None and index not in provided:
            fix = "let a compute_provision lead to it"
            sink.report(NO_SANDBOX, node.path, node_id=node.id, fix=fix, node=node.id)
        bunker_id = config.get("bunker")
        if node.type in SANDBOX_KINDS and isinstance(bunker_id, str) and bunker_id in names:
            path, fix = f"{node.path}.config.bunker", f"write {{{{ {names[bunker_id]} }}}}"
            sink.report(SANDBOX_IS_TEXT, path, node_id=node.id, fix=fix, node=node.id, text=bunker_id)
        lifecycle = config.get("lifecycle") or default
        if node.type == PROVISION and lifecycle != EPHEMERAL and index not in ending:
            fix = "let it lead to a compute_destroy, or use lifecycle 'ephemeral'"
            names = {"node": node.id, "lifecycle": str(lifecycle)}
            sink.report(SANDBOX_REMAINS, node.path, node_id=node.id, fix=fix, **names)


def _before_a_destroy(view: FlowView, ranked: list[int]) -> set[int]:
    """Return the nodes that control edges lead from to a `compute_destroy`."""
    ending: set[int] = set(view.torn.sources)
    for node in reversed(ranked):
        for edge in view.control_out.get(node, ()):
            if edge.target in ending or view.nodes[edge.target].type == DESTROY:
                ending.add(node)
                break
    return ending
