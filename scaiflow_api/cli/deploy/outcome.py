"""What the command tells: `name=value` lines, or one JSON object."""

from collections.abc import Mapping
from typing import Any

from scaiflow_api.cli.failure import CommandFailed
from scaiflow_api.cli.flows.files import print_json
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
    return CommandFailed(f"{detail.get('error')}: {' '.join(parts)}")
