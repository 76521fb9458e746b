"""What is written down is what the code says."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from scaiflow_api.app import create_app
from scaiflow_api.db.audit import Action
from scaiflow_api.kit.errors import AppError
from scaiflow_api.settings import Api, Settings

ROOT = Path(__file__).parents[2]


def test_the_generated_pages_are_up_to_date() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "docs/generate.py", "--check"], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr + "run `make docs`"


def test_every_setting_stands_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text()
    names = {
        str(field.validation_alias)
        for section in Settings.model_fields.values()
        for field in section.annotation.model_fields.values()  # type: ignore[union-attr]
    }

    assert set(re.findall(r"^# ([A-Z0-9_]+)=", example, re.MULTILINE)) == names


def test_the_environment_is_read_by_the_documented_names_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for section in Settings.model_fields.values():
        for name in section.annotation.model_fields:  # type: ignore[union-attr]
            monkeypatch.setenv(name.upper(), "7")
    monkeypatch.setenv("SCAIFLOW_API_PORT", "8123")
    (tmp_path / ".env").write_text("SCAIFLOW_API_PORT=1\nSCAIFLOW_API_HOST=::1\nURL=x\n")

    loaded = Settings.load()

    assert (loaded.api.port, loaded.api.host) == (8123, "::1")
    assert loaded.model_copy(update={"api": Api()}) == Settings()


def test_every_status_that_a_route_documents_names_codes_that_exist() -> None:
    described = [
        code
        for path in create_app(Settings()).openapi()["paths"].values()
        for operation in path.values()
        for status, answer in operation["responses"].items()
        if int(status) >= 400
        for code in re.findall(r"`([a-z_]+)`", answer["description"])
    ]

    assert set(described) <= set(AppError.registry)
    assert described


def test_every_action_of_the_audit_log_is_documented() -> None:
    table = re.findall(r"^\| (`.*?`.*?) \|", (ROOT / "docs/audit.md").read_text(), re.MULTILINE)
    documented = {action for cell in table for action in re.findall(r"`([a-z]+\.[a-z_]+)`", cell)}

    assert documented == set(get_args(Action))


PAGES = [
    *ROOT.glob("*.md"),
    *(
        page
        for folder in ("docs", "examples", "benchmarks")
        for page in (ROOT / folder).rglob("*.md")
        if "node_modules" not in page.parts  # what the benchmarks install
    ),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for file, anchor in re.findall(r"\]\((?!\w+:)([^)#]*)(?:#([^)]+))?\)", page.read_text()):
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), file
        if anchor:
            titles = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
            assert anchor in slugs, f"{file}#{anchor}"


def test_every_page_example_and_room_stands_in_its_list() -> None:
    pages, examples = ((ROOT / name).read_text() for name in ("docs/README.md", "examples/README.md"))
    rooms = (ROOT / "README.md").read_text().split("## Where things are")[1]

    for page in PAGES:
        if page.is_relative_to(ROOT / "docs") and page.parent.name != "adr" and page.name != "README.md":
            assert f"({page.relative_to(ROOT / 'docs')})" in pages
    for flow in (ROOT / "examples").glob("*.flow.json"):
        assert f"({flow.name})" in examples
    for room in (ROOT / "scaiflow_api").glob("[a-z]*/"):
        assert f"{room.name}/`" in rooms


def test_every_decision_has_a_number_of_its_own_and_is_headed_by_it() -> None:
    pages = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))

    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        assert page.read_text().startswith(f"# {int(page.name[:4])}. ")


def test_every_domain_stands_in_the_table_of_domains() -> None:
    section = (ROOT / "docs/architecture.md").read_text().split("## The domains")[1].split("\n## ")[0]
    folders = {init.parent.name for init in (ROOT / "scaiflow_api/domains").glob("*/__init__.py")}

    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == folders


def test_no_committed_file_names_a_package_host() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        assert "://" not in (ROOT / name).read_text()
