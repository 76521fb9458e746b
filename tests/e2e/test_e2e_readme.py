"""The README's tour does what it says: its own code blocks are run, and their output is compared."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from servers import ROOT, Place, running

README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(bash|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("tour") / "data")
    with running(place, ["make", "run"], f"{place.api}/readyz", place.grid):
        yield place


def steps() -> list[tuple[str, str]]:
    """Return each block of commands with the output that the README promises, in order."""
    found: list[tuple[str, str]] = []
    for kind, text in BLOCK.findall(README.split("## The tour")[1].split("\n## ")[0]):
        if kind == "bash":
            found.append((text, ""))
        else:
            found[-1] = (found[-1][0], text)
    return found


def test_the_tour_goes_to_its_end(place: Place, tmp_path: Path) -> None:
    marker = "----- end of step -----"
    script = ["set -euo pipefail"]
    for commands, _ in steps():
        # One line at a time, as they are pasted.
        script += [commands.replace("http://127.0.0.1:8001", place.api), f'echo "{marker}"']

    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=ROOT,
        env=place.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    printed = done.stdout.split(marker)
    for (commands, promised), output in zip(steps(), printed, strict=False):
        pattern = ".*".join(re.escape(part) for part in promised.strip().split("…"))
        assert re.fullmatch(pattern, output.strip(), re.DOTALL), (
            f"{commands}\nprinted\n{output}\n{done.stderr}"
        )
    assert done.returncode == 0, done.stderr
    assert len(printed) == len(steps()) + 1
    assert len(steps()) >= 9


def logs(place: Place) -> str:
    return "".join(log.read_text() for log in place.folder.glob("log-*.txt"))


def test_no_token_reached_a_log(place: Place) -> None:
    headers = place.headers("alice")
    answer = httpx.get(f"{place.api}/api/v1/me", headers=headers)
    refused = httpx.get(f"{place.api}/api/v1/me", headers={"Authorization": headers["Authorization"][:-4]})

    until = time.monotonic() + 10  # a request is logged when its answer is out
    while (written := logs(place)).count('"path":"/api/v1/me"') < 2 and time.monotonic() < until:
        time.sleep(0.05)

    assert (answer.status_code, refused.status_code) == (200, 401)
    assert written.count('"path":"/api/v1/me"') >= 2
    assert "eyJ" not in written
