"""`scaiflow scaikey-register`, against the local ScaiKey: what is there stays, and the secret is seen by nobody."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from dotenv import dotenv_values

from scaiflow_api.cli import registration
from scaiflow_api.localgrid import GridConfig, create_grid
from scaiflow_api.localgrid.scaikey.people import ADMIN_CLIENT, ADMIN_SECRET
from scaiflow_api.upstreams.scaikey_applications import ScaiKeyApplications

Scaiflow = Callable[..., Any]
URL = "http://127.0.0.1:8002/scaikey"
BEFORE = "# ours\nSCAIFLOW_LOG_LEVEL=DEBUG\n\nexport OTHER='kept as it \"is\"' # and this"


@pytest.fixture(scope="module")
def grid_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grid") / "grid.db"


@pytest.fixture
def register(
    scaiflow: Scaiflow, grid_file: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Scaiflow:
    """Run the command in a folder of its own, as the platform client that may; each test has its own name."""
    config = GridConfig(
        database=grid_file,
        base_url="http://127.0.0.1:8002",
        api_client_id="scaiflow-local",
        api_client_secret="local-secret",
        redirect_uris=(),
    )

    @asynccontextmanager
    async def to_the_grid(*_: object) -> AsyncIterator[httpx.AsyncBaseTransport]:
        app = create_grid(config)
        async with app.router.lifespan_context(app):
            yield httpx.ASGITransport(app)

    monkeypatch.setattr(registration, "open_transport", to_the_grid)
    fixed = ("--scaikey", URL, "--name", request.node.name, "--client", ADMIN_CLIENT)
    return lambda *options, stdin=ADMIN_SECRET: scaiflow("scaikey-register", *fixed, *options, stdin=stdin)


def settings(file: str = ".env") -> dict[str, str | None]:
    return dotenv_values(file)


def mode(file: str = ".env") -> int:
    return Path(file).stat().st_mode & 0o777


def test_a_client_is_registered_and_its_settings_are_written(register: Scaiflow) -> None:
    done = register()

    found = settings()
    assert done.code == 0, done.errors
    assert found["SCAIKEY_BASE_URL"] == URL
    assert found["SCAIFLOW_SCAIKEY_REDIRECT_URI"] == "http://localhost:5173/auth/callback"
    assert str(found["SCAIFLOW_SCAIKEY_CLIENT_ID"]) in done.errors
    assert str(found["SCAIFLOW_SCAIKEY_APPLICATION_ID"]).startswith("app_")
    secret = found["SCAIFLOW_SCAIKEY_CLIENT_SECRET"]
    assert secret
    assert secret not in done.errors
    assert done.output == b""
    assert mode() == 0o600
    assert [path.name for path in Path().iterdir()] == [".env"]


def test_run_again_it_changes_nothing(register: Scaiflow) -> None:
    register()
    before = Path(".env").read_bytes()

    done = register()

    assert (done.code, Path(".env").read_bytes()) == (0, before)
    assert "has its settings already" in done.errors


def test_lines_of_others_stay_and_the_file_is_closed_to_others(register: Scaiflow) -> None:
    Path("api.env").write_text(BEFORE)
    Path("api.env").chmod(0o644)

    assert register("--file", "api.env").code == 0

    assert Path("api.env").read_text().startswith(BEFORE + "\n")
    assert mode("api.env") == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes files of others")
def test_the_file_stays_its_owners(register: Scaiflow) -> None:
    Path(".env").write_text("A=1\n")
    os.chown(".env", 12345, 12345)

    assert register().code == 0

    found = Path(".env").stat()
    assert (found.st_uid, found.st_gid, mode()) == (12345, 12345, 0o600)


def test_a_line_that_was_there_is_replaced_where_it_stands(register: Scaiflow) -> None:
    Path(".env").write_text("A=1\nSCAIFLOW_SCAIKEY_CLIENT_ID=an-older-one\nB=2\n")

    assert register().code == 0

    lines = Path(".env").read_text().splitlines()
    assert (lines[0], lines[2]) == ("A=1", "B=2")
    assert lines[1].startswith("SCAIFLOW_SCAIKEY_CLIENT_ID='client_")


def test_a_link_is_followed(register: Scaiflow) -> None:
    Path("real").mkdir()
    Path("real/api.env").write_text("A=1\n")
    Path(".env").symlink_to("real/api.env")

    assert register().code == 0

    assert Path(".env").is_symlink()
    assert settings("real/api.env")["SCAIFLOW_SCAIKEY_CLIENT_SECRET"]


def test_the_secret_is_printed_when_it_is_asked_for(register: Scaiflow) -> None:
    done = register("--show-secret")

    assert done.output.decode().strip() == settings()["SCAIFLOW_SCAIKEY_CLIENT_SECRET"]


def test_what_it_lacks_is_added_and_what_is_there_stays(register: Scaiflow) -> None:
    first = ("--redirect-uri", "https://first.example/back")
    register(*first)

    second = ("--scope", "secrets:read", "--redirect-uri", "https://second.example/back")
    assert "with what it lacked" in register(*second).errors
    assert "with what it lacked" not in register(*first).errors
    assert "with what it lacked" not in register(*second).errors


def test_an_unknown_secret_is_not_replaced_unasked(register: Scaiflow) -> None:
    register()
    first = settings()
    Path(".env").unlink()

    refused = register()
    assert refused.code == 1
    assert "--new-secret" in refused.errors
    assert not Path(".env").exists()

    assert register("--new-secret").code == 0
    assert settings()["SCAIFLOW_SCAIKEY_CLIENT_ID"] == first["SCAIFLOW_SCAIKEY_CLIENT_ID"]
    assert settings()["SCAIFLOW_SCAIKEY_CLIENT_SECRET"] != first["SCAIFLOW_SCAIKEY_CLIENT_SECRET"]


def test_a_secret_that_ended_is_noticed(register: Scaiflow) -> None:
    register()
    Path(".env").write_text(Path(".env").read_text().replace("CLIENT_SECRET='", "CLIENT_SECRET='x"))

    assert "--new-secret" in register().errors


def test_a_scaikey_that_gives_no_new_secret_says_what_to_do(
    register: Scaiflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By which call it would is not public."""
    register()
    before = Path(".env").read_bytes()

    async def renew_elsewhere(self: ScaiKeyApplications, known: Any) -> Any:
        return await self._ask("POST", f"/api/v1/admin/applications/{known.id}/nowhere")

    monkeypatch.setattr(ScaiKeyApplications, "renew_secret", renew_elsewhere)
    refused = register("--new-secret")

    assert refused.code == 1
    assert "admin page" in refused.errors
    assert Path(".env").read_bytes() == before
    assert register().code == 0  # the old one is good as before


def test_namesakes_are_not_chosen_between(register: Scaiflow, monkeypatch: pytest.MonkeyPatch) -> None:
    register()
    everything = ScaiKeyApplications.all

    async def twice(self: ScaiKeyApplications) -> Any:
        return [*await everything(self)] * 2

    monkeypatch.setattr(ScaiKeyApplications, "all", twice)
    Path(".env").unlink()

    assert "several applications" in register().errors


@pytest.mark.parametrize(
    ("options", "stdin", "reason"),
    [
        ([], "wrong", "does not know scaikey-admin with that secret"),
        ([], "", "standard input does not hold"),
        ([], "not\tprintable", "standard input does not hold"),
        (["--scaikey", "http://scaikey.example"], ADMIN_SECRET, "is https://"),
        (["--scaikey", "https://admin:pw@scaikey.example"], ADMIN_SECRET, "is https://"),
        (["--scaikey", "ftp://scaikey.example"], ADMIN_SECRET, "is https://"),
        (["--scaikey", "https://[scaikey"], ADMIN_SECRET, "is https://"),
        (["--file", "no/such/folder/.env"], ADMIN_SECRET, "cannot be written"),
        (["--file", "."], ADMIN_SECRET, "cannot be written"),
        (["--client", "svc_ci"], "svc-ci-local-only", "super_admin"),
        (["--redirect-uri", "javascript:alert(1)"], ADMIN_SECRET, "does not register that"),
    ],
)
def test_what_goes_wrong_is_one_sentence(
    register: Scaiflow, options: list[str], stdin: str, reason: str
) -> None:
    done = register(*options, stdin=stdin)

    assert done.code == 1
    assert reason in done.errors
    assert done.errors.splitlines()[-1].startswith("scaiflow: ")
    assert "Traceback" not in done.errors
    assert not Path(".env").exists()
    assert ADMIN_SECRET not in done.errors


@pytest.mark.parametrize("file", [".env", "other.env"])
def test_a_file_that_is_no_text_is_left(register: Scaiflow, file: str) -> None:
    Path(file).write_bytes(bytes([65, 61, 255, 254]))

    assert "not UTF-8" in register("--file", file).errors
    assert Path(file).read_bytes() == bytes([65, 61, 255, 254])


@pytest.mark.usefixtures("register")
def test_without_a_client_standard_input_holds_an_administrators_token(
    scaiflow: Scaiflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    make = ScaiKeyApplications.__init__

    def watched(self: ScaiKeyApplications, http: Any, base_url: str, bearer: Any) -> None:
        seen.append(bearer.get_secret_value())
        make(self, http, base_url, bearer)

    monkeypatch.setattr(ScaiKeyApplications, "__init__", watched)
    done = scaiflow("scaikey-register", "--scaikey", URL, stdin="not-a-token\n")

    assert seen == ["not-a-token"]
    assert (done.code, "super_admin" in done.errors) == (1, True)
    assert "not-a-token" not in done.errors


def test_an_environment_that_says_otherwise_is_named(
    register: Scaiflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCAIFLOW_SCAIKEY_CLIENT_ID", "another")

    assert "SCAIFLOW_SCAIKEY_CLIENT_ID is also set in the environment" in register().errors
