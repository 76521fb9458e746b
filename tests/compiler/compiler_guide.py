"""The examples of the guide to flows: read from its pages, and run as the local grid runs them.

A block `json base` holds the flow that the examples are laid over, `json flow` a whole flow or a part of one,
`json node` one node, which stands behind the entry. What follows it belongs to it: `run` (input, then `->` and
what comes out, then maybe `ran:` and the nodes in order), `findings` (what the compiler says of it), and `scai`
(how it reads as text). `console` are commands and what they print.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localgrid.localgrid_ir import run

from scaiflow_api.compiler import compile_flow, ir, read_manifest
from scaiflow_api.localgrid.models.offline import OfflineModel
from scaiflow_api.localgrid.models.registry import RoleRegistry
from scaiflow_api.localgrid.runtime.checkpoint import Answer, Question
from scaiflow_api.localgrid.runtime.core_call import CoreRequest
from scaiflow_api.localgrid.runtime.failures import BlockFailed

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("flows.md", "flows/kinds.md")
BLOCK = re.compile(r"^```([a-z]+ ?[a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ENTRY = {"id": "node_entry", "type": "entry_api"}

JSON = dict[str, Any]


@dataclass(frozen=True)
class Told:
    """One run of an example, as the page tells it."""

    given: JSON
    outcome: str
    """The output as JSON, or `error` and what failed."""
    ran: str | None = None


@dataclass
class Example:
    """One flow of a page, and what the page says about it."""

    place: str
    document: JSON
    findings: list[str] = field(default_factory=list)
    runs: list[Told] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def examples() -> list[Example]:
    """Return all examples of all pages."""
    smallest = _first("json flow")
    base = {"nodes": smallest["nodes"], "edges": smallest["edges"], **_first("json base")}
    found: list[Example] = []
    for place, kind, text in _blocks():
        match kind:
            case "json flow":
                found.append(Example(place, _completed(json.loads(text), base)))
            case "json node":
                found.append(Example(place, _completed(_around(json.loads(text)), base)))
            case "findings":
                found[-1].findings += text.splitlines()
            case "run":
                found[-1].runs += _runs(text)
            case "scai":
                found[-1].texts.append(text)
    return found


def commands() -> list[tuple[str, str]]:
    """Return each command of the pages with what it prints."""
    shown = "".join(text for _, kind, text in _blocks() if kind == "console")
    parts = [part.partition("\n") for part in re.split(r"^\$ ", shown, flags=re.MULTILINE)[1:]]
    return [(command, printed) for command, _, printed in parts]


def table_names() -> list[str]:
    """Return the names of the generated tables; what is in them another test compares with the code."""
    return re.findall(
        r"^<!-- (\w+): written by `make docs` -->$",
        (DOCS / "flows/kinds.md").read_text("utf-8"),
        re.MULTILINE,
    )


def links() -> Iterator[tuple[str, Path, str]]:
    """Yield each relative link of the pages: its text, the file, and the heading (empty: the file as a whole)."""
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", (DOCS / page).read_text("utf-8")):
            path, _, heading = target.partition("#")
            yield f"{page}: {target}", (DOCS / page).parent / path if path else DOCS / page, heading


def anchors(page: Path) -> set[str]:
    """Return the names by which the headings of a page can be linked."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def fences() -> list[str]:
    """Return what stands behind each opening fence, whether it is one of the kinds above or not."""
    lines = (line for page in PAGES for line in (DOCS / page).read_text("utf-8").splitlines())
    return [line.removeprefix("```") for line in lines if line.startswith("```")][::2]


def _first(wanted: str) -> JSON:
    found: JSON = next(json.loads(text) for _, kind, text in _blocks() if kind == wanted)
    return found


def _blocks() -> Iterator[tuple[str, str, str]]:
    """Yield place, kind and text of each block."""
    for page in PAGES:
        text = (DOCS / page).read_text("utf-8")
        for block in BLOCK.finditer(text):
            line = text.count("\n", 0, block.start()) + 1
            yield f"{page}:{line}", block[1], block[2]


def _runs(text: str) -> Iterator[Told]:
    parts = re.split(r"^(?=[{])", text, flags=re.MULTILINE)
    for part in filter(str.strip, parts):
        given, _, rest = part.partition("->")
        outcome, _, ran = rest.partition("\nran:")
        yield Told(json.loads(given), " ".join(outcome.split()), " ".join(ran.split()) or None)


def _around(node: JSON) -> JSON:
    edge = {
        "source": {"node": "node_entry", "port": "out_request"},
        "target": {"node": node["id"], "port": "in"},
    }
    return {"nodes": [ENTRY, node], "edges": [edge]}


def _completed(part: JSON, base: JSON) -> JSON:
    """Return the whole document, filled up as the guide says; what has an id is whole by itself."""
    if "id" in part:
        return part
    document = {**base, **part}
    document["nodes"] = [
        {"label": node["id"], "position": {"x": 0, "y": 0}, **node} for node in document["nodes"]
    ]
    document["edges"] = [
        {"id": f"edge_{number}", "type": "conditional" if "condition" in edge else "sequential", **edge}
        for number, edge in enumerate(document["edges"], 1)
    ]
    return document


# Running


@dataclass
class OneCore:
    """A grid with one other Core, `core://acme/greeting`. Implements Cores."""

    document: JSON

    async def call(self, request: CoreRequest, place: str) -> Any:
        if request.target != "core://acme/greeting":
            raise BlockFailed("CORE_NOT_FOUND", f"there is no running Core {request.target}")
        outcome = await run_example(self.document, dict(request.input))
        return outcome.output

    async def start(self, request: CoreRequest, place: str) -> None:
        await self.call(request)


async def run_example(document: JSON, given: JSON, greeting: JSON | None = None) -> Any:
    """Compile, deploy and run a flow as the local grid does, with its offline model."""
    module = read_manifest(compile_flow(document).text)
    cores = OneCore(greeting) if greeting else None
    return await run(module, given, _models(module), cores=cores, answer=first_option)


def first_option(question: Question) -> Answer:
    """Answer as the pages say that people answer."""
    decisions = [section for section in question.sections if section["type"] == "decision"]
    first = (question.options or decisions[0]["options"])[0]
    return Answer("resolved", {"decision": first["id"] if isinstance(first, dict) else first})


def _models(module: ir.Module) -> RoleRegistry:
    return RoleRegistry(module.models, OfflineModel(), lambda slug: slug.startswith("openai/"))


def told(outcome: Any) -> str:
    """Return what came of a run, as the page writes it."""
    failed = outcome.failed
    if failed is not None:
        return f"error {failed.code} at {failed.node_id}: {failed.message}"
    return json.dumps(outcome.output, ensure_ascii=False)


def ran(outcome: Any) -> str:
    """Return the nodes in the order in which they were entered."""
    entered = (e for e in outcome.events if e.type.endswith("block.entered"))
    return ", ".join(e.payload["node_id"] for e in entered)
