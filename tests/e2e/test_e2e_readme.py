"""The README's tour goes as it says, and the commands of other pages can be pasted after it."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from servers import ROOT, Place, running

README = (ROOT / "README.md").read_text()
MARKER = "----- end of step -----"
BLOCK = re.compile(r"^```(bash|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


PAGES = ["docs/api.md", "docs/deploy.md", "docs/localgrid.md", "examples/README.md", "examples/ci/README.md"]
"""Those whose commands can be pasted as they stand once the tour has been taken."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("tour") / "data")
    with running(place, ["make", "run"], f"{place.api}/readyz", place.grid):
        yield place


@pytest.fixture(scope="module")
def tour(place: Place) -> subprocess.CompletedProcess[str]:
    # One line at a time, as they are pasted.
    script = [line for commands, _ in steps() for line in (commands, f'echo "{MARKER}"')]
    return pasted(place, script, ROOT)


def steps() -> list[tuple[str, str]]:
    """Return each block of commands with the output that the README promises, in order."""
    found: list[tuple[str, str]] = []
    for kind, text in BLOCK.findall(README.split("## The tour")[1].split("\n## ")[0]):
        if kind == "bash":
            found.append((text, ""))
        else:
            found[-1] = (found[-1][0], text)
    return found


def pasted(place: Place, script: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run lines in a folder, with this place's servers in the place of those that pages name."""
    text = "\n".join(["set -euo pipefail", *script])
    text = text.replace("http://127.0.0.1:8001", place.api).replace("http://127.0.0.1:8002/", place.grid)
    return subprocess.run(
        ["bash", "-c", text],
        cwd=folder,
        env=place.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_tour_goes_to_its_end(tour: subprocess.CompletedProcess[str]) -> None:
    printed = tour.stdout.split(MARKER)
    for (commands, promised), output in zip(steps(), printed, strict=False):
        pattern = ".*".join(re.escape(part) for part in promised.strip().split("…"))
        assert re.fullmatch(pattern, output.strip(), re.DOTALL), (
            f"{commands}\nprinted\n{output}\n{tour.stderr}"
        )
    assert tour.returncode == 0, tour.stderr
    assert len(printed) == len(steps()) + 1
    assert len(steps()) >= 9


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_other_pages_work_after_the_tour(
    page: str, place: Place, tour: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    assert tour.returncode == 0, tour.stderr
    for name in (".venv", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    commands = re.findall(r"^```sh\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    signed_in, _ = steps()[0]

    done = pasted(
        place, [signed_in, 'FLOW=$(call $API/flows | pick \'["items"][0]["id"]\')', *commands], tmp_path
    )

    assert commands
    assert done.returncode == 0, done.stdout + done.stderr


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
