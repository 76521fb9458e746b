"""Writes `docs/diagnostics.md` from the rules: `python -m scaiflow_api.compiler.diagnostics_page`.

A test compares the file with this text and runs every example.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from scaiflow_api.compiler.check import validate_flow
from scaiflow_api.compiler.diagnostics import Diagnostic, Rule
from scaiflow_api.compiler.importing import import_manifest
from scaiflow_api.compiler.rules import (
    binding,
    branches,
    configuration,
    declarations,
    expressions,
    fixtures,
    heading,
    imports,
    models,
    names,
    paths,
    plugins,
    policy,
    resources,
    schedules,
    shape,
    structure,
    types,
    usage,
    wiring,
)

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (
            *shape.RULES,
            *wiring.RULES,
            *paths.RULES,
            *structure.RULES,
            *configuration.RULES,
            *expressions.RULES,
            *names.RULES,
            *binding.RULES,
            *branches.RULES,
            *declarations.RULES,
            *fixtures.RULES,
            *heading.RULES,
            *schedules.RULES,
            *types.RULES,
            *usage.RULES,
            *models.RULES,
            *plugins.RULES,
            *resources.RULES,
            *policy.RULES,
            *imports.RULES,
        ),
        key=lambda rule: rule.code,
    )
)

BASE: Mapping[str, Any] = {
    "id": "flow_example",
    "name": "Example",
    "version": "1.0.0",
    "nodes": [
        {"id": "node_entry", "type": "entry_api", "label": "API", "position": {"x": 0, "y": 0}},
        {
            "id": "node_answer",
            "type": "llm_rigid",
            "label": "Answer",
            "position": {"x": 200, "y": 0},
            "config": {"template": "hello"},
        },
    ],
    "edges": [
        {
            "id": "edge_1",
            "type": "sequential",
            "source": {"node": "node_entry", "port": "out_request"},
            "target": {"node": "node_answer", "port": "in"},
        }
    ],
    "config": {
        "core_identity": {
            "models": [
                {"role": "primary", "ref": "scaigrid", "model": "openai/gpt-4o"},
                {"role": "fast", "ref": "scaigrid", "model": "openai/gpt-4o-mini"},
            ]
        }
    },
}
"""A flow without findings; the examples are laid over it."""

FAMILIES = {
    "SF0": "The document itself. These stop all other checks, and such a document cannot be saved.",
    "SF1": "The graph: edges, ports, entries, paths.",
    "SF2": "The configuration of nodes, and what the document says of itself.",
    "SF3": "Expressions, templates and names.",
    "SF4": "Policy and secrets.",
    "SF5": "Models, plugins, queues, sandboxes and people.",
    "SF6": "Imported manifests. Warnings of `POST /api/v1/flows/import` and `scaiflow import`; each example is one.",
}
HEAD = """# Diagnostics

What `POST /api/v1/flows/validate` and `POST /api/v1/flows/compile` say about a flow. Errors keep it from being
compiled, warnings do not. Findings come in the order of the document (nodes, then edges, each in theirs), then by
code; all are reported at once, of very many the first 10,000 and as many errors besides. This page is generated:
`python -m scaiflow_api.compiler.diagnostics_page`.

Each example is laid over this flow, which has no findings: its top-level keys replace those of the flow (what is
no object replaces all of it).
"""


def example_document(rule: Rule) -> Any:
    """Return the document that shows a rule."""
    return {**BASE, **rule.example} if isinstance(rule.example, Mapping) else rule.example


def findings_of_example(rule: Rule) -> Sequence[Diagnostic]:
    """Return all that is found in the example of a rule."""
    if rule in imports.RULES:
        return import_manifest(rule.example).diagnostics
    return validate_flow(example_document(rule))


def diagnostics_page() -> str:
    """Return the text of `docs/diagnostics.md`."""
    parts = [HEAD, _json(BASE)]
    family = ""
    for rule in RULES:
        if rule.code[:3] != family:
            family = rule.code[:3]
            parts.append(f"## {family}xx\n\n{FAMILIES[family]}\n")
        parts.append(_section(rule))
    return "\n".join(parts)


def _section(rule: Rule) -> str:
    found = next(item for item in findings_of_example(rule) if item.code == rule.code)
    place = f" at `{found.path}`" if found.path else ""
    fix = f"\nFix: {found.fix}\n" if found.fix else ""
    return (
        f"### {rule.code} {rule.name} ({rule.severity})\n\n{rule.what}\n\n{rule.why}\n\n"
        f"{_example(rule)}\n`{found.message}`{place}\n{fix}"
    )


def _example(rule: Rule) -> str:
    return f"```yaml\n{rule.example}```\n" if rule in imports.RULES else _json(rule.example)


def _json(value: Any) -> str:
    return f"```json\n{orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()}\n```\n"


if __name__ == "__main__":
    Path("docs/diagnostics.md").write_text(diagnostics_page(), encoding="utf-8")
