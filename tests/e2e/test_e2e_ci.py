"""The example scripts for CI: the shell one against real servers, and the others as far as they call it."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml
from servers import ROOT, Place, running, scaiflow

from scaiflow_api.cli.environment import GRID_KEY

CI = ROOT / "examples" / "ci"
SCRIPT = CI / "flows.sh"


def in_ci(place: Place, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script as a CI system would."""
    return subprocess.run(
        ["sh", str(SCRIPT), "flows with spaces"],
        env={**place.environment, "REPORTS": "out/reports", **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def reported(folder: Path) -> dict[str, dict[str, str]]:
    """Return the counts of each JUnit report."""
    reports = sorted((folder / "out" / "reports").iterdir())
    return {path.stem: dict(ElementTree.parse(path).getroot().attrib) for path in reports}


def approval(expect: dict[str, Any]) -> dict[str, Any]:
    """A flow that asks a person, and a fixture that answers."""
    place = {"position": {"x": 0, "y": 0}}
    return {
        "id": "flow_approval",
        "name": "Approval",
        "version": "1.0.0",
        "nodes": [
            {"id": "entry", "type": "entry_api", "label": "API", **place, "config": {}},
            {
                "id": "ask",
                "type": "hitl_decision",
                "label": "Ask",
                **place,
                "config": {"prompt": "Well?", "options": ["yes", "no"]},
            },
        ],
        "edges": [
            {
                "id": "e",
                "type": "sequential",
                "source": {"node": "entry", "port": "out_request"},
                "target": {"node": "ask", "port": "in"},
            }
        ],
        "config": {
            "core_identity": {"models": [{"role": "primary", "ref": "scaigrid", "model": "openai/gpt-4o"}]}
        },
        "tests": [
            {
                "name": "is approved",
                "input": {},
                "resolutions": {"ask": "yes"},
                "expect": expect,
            }
        ],
    }


def test_the_shell_script_validates_deploys_and_tests_a_folder_of_flows(tmp_path: Path) -> None:
    place = Place(tmp_path / "data")
    grid = f"http://127.0.0.1:{place.grid_port}"
    flows = tmp_path / "flows with spaces"
    flows.mkdir()
    straight = {"SCAIGRID_BASE_URL": f"{grid}/scaigrid", "SCAIGRID_API_KEY": GRID_KEY}
    (flows / "approval.flow.json").write_text(json.dumps(approval(expect={"decision": "yes"})))
    (flows / "echo agent.flow.json").write_bytes((ROOT / "examples" / "echo-agent.flow.json").read_bytes())
    with running(place, scaiflow("grid"), f"{grid}/scaikey/"):
        passed = in_ci(place, tmp_path, MIN_COVERAGE="100", **straight)
        assert passed.returncode == 0, passed.stdout + passed.stderr
        assert len(re.findall("^core_id=core_", passed.stdout, re.MULTILINE)) == 2
        counts = {
            name: (it["tests"], it["failures"], it["errors"]) for name, it in reported(tmp_path).items()
        }
        assert counts == {"approval": ("2", "0", "0"), "echo agent": ("2", "0", "0")}

        (flows / "echo agent.flow.json").unlink()
        (flows / "approval.flow.json").write_text(json.dumps(approval(expect={"decision": "no"})))
        failed = in_ci(place, tmp_path, **straight)
        assert failed.returncode == 1, failed.stdout + failed.stderr
        assert "FAIL is approved" in failed.stdout
        assert reported(tmp_path)["approval"]["failures"] == "1"
    assert GRID_KEY not in passed.stdout + passed.stderr + failed.stdout + failed.stderr


def test_through_the_api_the_commands_are_told_where_it_is(tmp_path: Path) -> None:
    """A command in place of `scaiflow` notes what it is called with, and fails to deploy the first of two flows."""
    flows = tmp_path / "flows with spaces"
    flows.mkdir()
    for name in ("a", "b"):
        (flows / f"{name}.flow.json").write_text("{}")
    played = tmp_path / "scaiflow"
    played.write_text(
        f"""#!/bin/sh
echo "$@" >> {tmp_path}/calls
case "$1 $2" in
    "deploy "*a.flow.json) exit 2;;
    "deploy "*) echo flow_id=flow_1; echo core_id=core_1;;
    "test "*) exit 1;;
esac
"""
    )
    played.chmod(0o755)
    api = {"SCAIFLOW_API": "https://flow.test", "SCAIFLOW_TOKEN": "tok-ci", "SCAIFLOW": str(played)}
    done = in_ci(Place(tmp_path / "data"), tmp_path, **api)
    assert done.returncode == 2
    assert (tmp_path / "calls").read_text().splitlines() == [
        "validate flows with spaces/a.flow.json flows with spaces/b.flow.json",
        "deploy flows with spaces/a.flow.json --api https://flow.test",
        "deploy flows with spaces/b.flow.json --api https://flow.test",
        "test flows with spaces/b.flow.json --core core_1 --junit out/reports/b.xml --api https://flow.test",
    ]


def test_when_one_flow_has_errors_nothing_is_deployed(tmp_path: Path) -> None:
    flows = tmp_path / "flows with spaces"
    flows.mkdir()
    document = approval(expect={})
    (flows / "a.flow.json").write_text(json.dumps(document))
    del document["nodes"][0]
    (flows / "b.flow.json").write_text(json.dumps(document))
    done = in_ci(Place(tmp_path / "data"), tmp_path, SCAIGRID_API_KEY="sgk_none")
    assert done.returncode == 1
    assert "b.flow.json:" in done.stdout
    assert "==" not in done.stdout


def test_without_a_flow_the_script_says_so(tmp_path: Path) -> None:
    (tmp_path / "flows with spaces").mkdir()
    done = in_ci(Place(tmp_path / "data"), tmp_path)
    assert (done.returncode, done.stderr) == (2, "there is no *.flow.json in flows with spaces\n")


def test_the_other_scripts_run_the_shell_script_with_variables_that_it_knows() -> None:
    known = set(re.findall(r"\$\{([A-Z_]+):", SCRIPT.read_text())) | {"SCAIGRID_BASE_URL", "SCAIGRID_API_KEY"}
    github = yaml.safe_load((CI / "github-actions.yml").read_text())["jobs"]["flows"]["steps"]
    (step,) = [step for step in github if "flows.sh" in step.get("run", "")]
    assert step["run"] == "sh ci/flows.sh flows"
    assert step["env"].keys() <= known
    (upload,) = [step for step in github if "upload-artifact" in step.get("uses", "")]
    assert (upload["if"], upload["with"]["path"]) == ("always()", step["env"]["REPORTS"])

    gitlab = yaml.safe_load((CI / "gitlab-ci.yml").read_text())["flows"]
    assert gitlab["script"][-1] == step["run"]
    assert gitlab["variables"].keys() <= known
    assert gitlab["artifacts"]["reports"]["junit"] == f"{gitlab['variables']['REPORTS']}/*.xml"
    assert gitlab["artifacts"]["when"] == "always"
