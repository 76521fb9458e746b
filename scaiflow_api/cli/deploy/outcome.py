"""What the command tells: `name=value` lines, or one JSON object."""

from collections.abc import Mapping
from typing import Any

from scaiflow_api.cli.failure import CommandFailed
from scaiflow_api.cli.flows.files import print_json
from scaiflow_api.cli.flows.findings import tell
from scaiflow_api.cli.terminal import visible

_SHOWN = ("flow_id", "flow_version", "core_id", "published_slug")


def report(outcome: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what is there now."""
    if as_json:
        print_json({"ok": True, **outcome})
        return
    for name in _SHOWN:
        if outcome.get(name) is not None:
            print(visible(f"{name}={outcome[name]}"))


def foretell(plan: Mapping[str, Any], *, as_json: bool) -> int:
    """Print what a deploy would do; return the exit code: 1 where it would fail.

    Raises KeyError or TypeError for a plan that is none.
    """
    core, queues, publication = plan.get("core"), plan.get("scaiqueue"), plan.get("publication")
    conflict = core is not None and core["action"] == "conflict"
    if as_json:
        print_json({"ok": not conflict, "dry_run": True, **plan})
    else:
        told = {
            "save": plan.get("save"),
            "flow_id": plan.get("flow_id"),
            "flow_version": plan.get("flow_version"),
            "core": core and core["action"],
            "core_id": core and core["core_id"],
            "create_scope": queues and (queues["scope_slug"] if queues["scope_id"] is None else None),
            "create_queues": queues and ",".join(queues["create"]),
            "model": publication and publication["action"],
        }
        for name, value in told.items():
            if value:
                print(visible(f"{name}={value}"))
    if core is None:
        tell("the API looks ahead to a deploy of what it has; it would be saved first")
    if conflict:
        tell("another Core has the flow's name: a deploy would fail; rename the flow")
    return int(conflict)


def refused(detail: Mapping[str, Any], *, as_json: bool) -> CommandFailed:
    """Return the failure to raise for an error in the form of the API; with `as_json` it is printed whole first."""
    if as_json:
        print_json({"ok": False, **detail})
    parts = [str(detail.get("message"))]
    if detail.get("fix"):
        parts.append(str(detail["fix"]))
    if detail.get("reached") or detail.get("core_id"):
        done = ", ".join(detail.get("reached") or ()) or "nothing"
        core = f" (core_id={detail['core_id']})" if detail.get("core_id") else ""
        parts.append(f"Done so far: {done}{core}.")
    told = " ".join([*(f"{part.rstrip('.')}." for part in parts[:-1]), parts[-1]])
    return CommandFailed(f"{detail.get('error')}: {told}")
