"""YAML manifest → module: what a runtime does with the text that it is sent.

Unknown keys are tolerated. What was emitted becomes the same module again; a manifest written by hand needs no
`scaiflow_meta`.
"""

from collections.abc import Mapping
from typing import Any

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.steps import read_outputs
from scaiflow_api.compiler.manifest.section import ManifestError, Section, model_text
from scaiflow_api.compiler.manifest.steps import StepReader
from scaiflow_api.compiler.manifest.text import load_manifest_text

TRIGGER_KINDS = ("api", "webhook", "schedule")
MODES = ("stateless", "entity", "singleton")
DEFAULT_VERSION = "1.0.0"
DEFAULT_RUNTIME = "0.2"
PRIMARY = "primary"


def read_manifest(text: str) -> ir.Module:
    """Return the module of a manifest. Raises ManifestError with one sentence, and nothing else."""
    return read_values(load_manifest_text(text))


def read_values(values: object) -> ir.Module:
    """Return the module of a manifest whose text is loaded already. Raises ManifestError alone."""
    root = Section(values, "The manifest")
    if "core" not in root:
        flow = "; with its 'nodes' it looks like a flow document" if "nodes" in root else ""
        raise ManifestError(f"The manifest has no 'core'{flow}.")
    core = Section(root.json("core"), "core")
    metadata = core.section("scaiflow_meta") if "scaiflow_meta" in core else Section({}, "core.scaiflow_meta")
    models = _models(core, metadata)
    steps = StepReader(models[0]["role"] if models else "")
    flows, triggers = _flows(core, steps)
    identity = core.section("identity") if "identity" in core else Section({}, "core.identity")
    name = core.text("name")
    return ir.Module(
        name=name,
        version=metadata.text("source_version", DEFAULT_VERSION),
        runtime_version=core.text("runtime_version", DEFAULT_RUNTIME),
        mode=core.choice("mode", MODES),
        identity=ir.Identity(
            provider=identity.text("provider", "scaikey"), persona=identity.text("persona", name)
        ),
        models=models,
        plugins=core.mappings("plugins"),
        capabilities=tuple(core.items("capabilities")),
        scaiqueue=core.mapping("scaiqueue") if core.json("scaiqueue") is not None else None,
        variables=_variables(metadata),
        triggers=triggers,
        flows=flows,
        metadata=ir.Metadata(
            source_id=metadata.optional_text("source_id"),
            source_version=metadata.optional_text("source_version"),
            scaicore_target=metadata.optional_text("scaicore_target"),
            publish_as_model=metadata.flag("publish_as_model"),
            model_visibility_group_ids=metadata.text_items("model_visibility_group_ids"),
            graph=_graph(metadata, steps),
        ),
    )


def _models(core: Section, metadata: Section) -> tuple[Mapping[str, Any], ...]:
    """Return the registry. `core.model` is the model of its first entry, whatever that says itself.

    It alone is read by runtimes that know nothing of `scaiflow_meta`; without a registry its role is `primary`.
    """
    entries = metadata.sections("models")
    for entry in entries:
        for key in ("role", "ref", "model"):
            entry.text(key)
    registry = tuple(entry.values for entry in entries)
    text = core.optional_text("model")
    if text is None or (registry and text == model_text(registry[0])):
        return registry
    ref, slash, model = text.partition("/")
    if not (ref and slash and model):
        raise core.fail("model", "written as provider/model")
    first = registry[0] if registry else {"role": PRIMARY}
    return ({**first, "ref": ref, "model": model}, *registry[1:])


def _variables(metadata: Section) -> tuple[Mapping[str, Any], ...]:
    for variable in metadata.sections("variables"):
        variable.text("name")
        variable.text("type")
    return metadata.mappings("variables")


def _flows(core: Section, steps: StepReader) -> tuple[tuple[ir.Flow, ...], tuple[ir.Trigger, ...]]:
    flows: list[ir.Flow] = []
    triggers: list[ir.Trigger] = []
    names: set[str] = set()
    for section in core.sections("flows"):
        flow = _flow(section, steps)
        if flow.name in names:
            raise ManifestError(f"{section.path}: another flow has the name '{flow.name}' already.")
        names.add(flow.name)
        flows.append(flow)
        started_by = [section.section("trigger"), *section.sections("additional_triggers")]
        triggers += [_trigger(trigger, flow.name) for trigger in started_by]
    if not flows:
        raise ManifestError("core.flows must have at least one flow.")
    return tuple(flows), tuple(triggers)


def _flow(section: Section, steps: StepReader) -> ir.Flow:
    body = steps.body(section, "steps")
    outputs = read_outputs(section, "outputs") if "outputs" in section else _last_first(body)
    return ir.Flow(name=section.text("name"), params=section.texts("params"), body=body, outputs=outputs)


def _last_first(body: tuple[ir.AnyBlock, ...]) -> tuple[ir.OutputCandidate, ...]:
    """Return what a manifest without `outputs` means: the value of the last step that ran and has one."""
    candidates: list[ir.OutputCandidate] = []
    for block in reversed(body):
        if isinstance(block, ir.MatchBlock):
            candidates += _last_first(block.else_body)
            for arm in reversed(block.arms):
                candidates += _last_first(arm.body)
        elif isinstance(block, ir.TryBlock):
            candidates += _last_first(block.body)
        elif block.result_id is not None:
            candidates.append(ir.OutputCandidate(node_id=block.result_id))
    return tuple(candidates)


def _trigger(section: Section, flow: str) -> ir.Trigger:
    kind = section.text("type")
    if kind not in TRIGGER_KINDS:
        raise section.fail("type", "one of " + ", ".join(TRIGGER_KINDS))
    return ir.Trigger(
        kind=kind,
        name=section.text("name", flow),
        target_flow=flow,
        node_id=section.optional_text("node_id"),
        method=section.optional_text("method"),
        path=section.optional_text("path"),
        auth=section.json("auth"),
        cron=section.optional_text("cron"),
        timezone=section.optional_text("timezone"),
    )


def _graph(metadata: Section, steps: StepReader) -> dict[str, Any] | None:
    """Return the graph, with what the steps carry put back into its nodes."""
    if "graph" not in metadata:
        return None
    graph = metadata.section("graph")
    nodes = {}
    for node_id, rest in graph.mapping("nodes").items():
        if not isinstance(rest, dict):
            raise graph.fail("nodes", "a mapping of node ids to nodes")
        nodes[node_id] = {**steps.nodes.get(node_id, {}), **rest}
    return {**graph.values, "nodes": nodes}
