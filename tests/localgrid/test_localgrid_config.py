"""A grid that must not start says why."""

import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
from localgrid_support import BASE, RunningGrid, a_config, running_grid

from scaiflow_api.localgrid import create_grid


def test_production_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not start in production"):
        create_grid(a_config(tmp_path / "grid.db", environment="production"))


@pytest.mark.parametrize(
    "changed",
    [
        {"base_url": "http://10.0.0.1:8002"},
        {"base_url": "https://127.0.0.1:8002"},
        {"base_url": "http://127.0.0.1:8002/grid"},
        {"base_url": "http://localhost.example"},
        {"redirect_uris": ("javascript:alert(1)",)},
        {"redirect_uris": ("http://localhost:5173/#fragment",)},
        {"redirect_uris": ("http://localhost:5173/a; form-action *",)},
        {"api_key": "a key of another kind"},
    ],
)
def test_unsafe_configuration_is_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        a_config(tmp_path / "grid.db", **changed)


def test_secrets_are_not_printed(tmp_path: Path) -> None:
    shown = repr(a_config(tmp_path / "grid.db", model_key="sk-model"))

    assert "local secret" not in shown
    assert "sgk_local" not in shown
    assert "sk-model" not in shown


async def test_the_file_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "grid.db"
    async with running_grid(a_config(path)):
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}

    assert modes["grid.db"] == 0o600
    assert set(modes.values()) == {0o600}


async def test_an_existing_file_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "grid.db"
    path.touch(0o644)
    async with running_grid(a_config(path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("host", ["127.0.0.1:8002", "localhost", "LOCALHOST:1", "[::1]:8002", "[::1]"])
async def test_loopback_hosts_are_answered(grid: RunningGrid, host: str) -> None:
    response = await grid.http.get("/", headers={"Host": host})

    assert response.status_code == 200
    assert response.json()["scaikey"] == f"{BASE}/scaikey"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost:8002@evil.example", "[::2]", "", "[127.0.0.1]"],
)
@pytest.mark.parametrize("path", ["/", "/scaikey/api/v1/platform/.well-known/jwks.json", "/_faults"])
async def test_foreign_hosts_are_misdirected(grid: RunningGrid, host: str, path: str) -> None:
    response = await grid.http.get(path, headers={"Host": host})

    assert response.status_code == 421


async def test_two_hosts_are_misdirected(grid: RunningGrid) -> None:
    request = httpx.Request("GET", BASE, headers=[("Host", "127.0.0.1"), ("Host", "evil.example")])

    assert (await grid.http.send(request)).status_code == 421


async def test_a_body_over_the_limit_is_refused_unread(grid: RunningGrid) -> None:
    response = await grid.http.post(
        "/scaigrid/v1/modules/scaicore/cores", headers={"Content-Length": str(10**9)}, content=b"x"
    )

    assert response.status_code == 413


async def test_a_body_of_unknown_length_is_cut_off(grid: RunningGrid) -> None:
    caller = await grid.caller("usr_bob")

    async def endless() -> Any:
        for _ in range(40):
            yield b"#" * 1024 * 1024

    response = await caller(
        "POST",
        "/scaigrid/v1/modules/scaicore/cores",
        content=endless(),
        headers={"Content-Type": "application/yaml"},
    )

    assert response.status_code == 413
    assert response.json()["error"]["code"] == "PAYLOAD_TOO_LARGE"
