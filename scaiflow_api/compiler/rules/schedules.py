"""SF215, SF216: schedules that never come, and time zones that nobody knows."""

import re

from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink
from scaiflow_api.compiler.graph.flow import FlowView
from scaiflow_api.compiler.kinds.entry_schedule import EntryScheduleConfig
from scaiflow_api.compiler.knowledge.cron import read_cron
from scaiflow_api.compiler.knowledge.time_zones import TIME_ZONES
from scaiflow_api.compiler.suggest import Suggestions

NO_PLACE = re.compile(r"[Zz]|[A-Z]{3,5}|(?i:UTC|GMT)[+-]?[0-9]+")
"""An abbreviation such as `CEST`, or an offset. Zones whose names are like it have another time."""
PLACE = {"position": {"x": 0, "y": 0}}


def _schedule(config: dict[str, str]) -> dict[str, object]:
    node = {"id": "node_answer", "type": "llm_rigid", "label": "Answer", **PLACE, "config": {"template": "x"}}
    return {
        "nodes": [
            {"id": "node_tick", "type": "entry_schedule", "label": "Tick", **PLACE, "config": config},
            node,
        ],
        "edges": [
            {
                "id": "edge_1",
                "type": "sequential",
                "source": {"node": "node_tick", "port": "out_tick"},
                "target": {"node": "node_answer", "port": "in"},
            }
        ],
    }


NEVER_FIRES = Rule(
    "SF215",
    "schedule-that-never-fires",
    "node '{node}': the schedule '{cron}' means no day of any year",
    severity=WARNING,
    what="A cron expression asks for days that none of its months has, such as February 30.",
    why="The flow would be deployed, and never start.",
    example=_schedule({"cron": "0 6 30 2 *"}),
)
UNKNOWN_TIME_ZONE = Rule(
    "SF216",
    "unknown-time-zone",
    "node '{node}': there is no time zone '{timezone}' in the tz database",
    severity=WARNING,
    what="The `timezone` of a schedule is not a name in the tz database, as far as this compiler knows.",
    why="Runtimes look the name up there. Names are written exactly so, capitals included.",
    example=_schedule({"timezone": "Europe/Amsterdm"}),
)

RULES = (NEVER_FIRES, UNKNOWN_TIME_ZONE)


def check(view: FlowView, sink: Sink) -> None:
    suggestions = Suggestions()
    for entry in view.entries:
        config = view.configs.get(entry.index)
        if not isinstance(config, EntryScheduleConfig):
            continue
        path = f"{entry.path}.config"
        if not read_cron(config.cron).ever_fires:
            fix = "choose days that occur in these months; 'L' is the last day of a month"
            sink.report(
                NEVER_FIRES, f"{path}.cron", node_id=entry.id, fix=fix, node=entry.id, cron=config.cron
            )
        if config.timezone not in TIME_ZONES:
            near = _fix(config.timezone, suggestions)
            names = {"node": entry.id, "timezone": config.timezone}
            sink.report(UNKNOWN_TIME_ZONE, f"{path}.timezone", node_id=entry.id, fix=near, **names)


def _fix(name: str, suggestions: Suggestions) -> str | None:
    """Say which name is meant."""
    near = suggestions.nearest(name, TIME_ZONES)
    if NO_PLACE.fullmatch(name) and (near is None or near.casefold() != name.casefold()):
        return "name a place, such as Europe/Amsterdam, or UTC"
    return f"did you mean '{near}'?" if near is not None else None
