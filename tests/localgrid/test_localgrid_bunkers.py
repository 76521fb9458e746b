"""ScaiBunker: bunkers from their creation to their end."""

from pathlib import Path
from typing import Any

import pytest
from localgrid_support import SCAIBUNKER, Caller, RunningGrid, error_of, running_grid

from scaiflow_api.localgrid import GridConfig
from scaiflow_api.localgrid.scaibunker import sandbox

BUNKERS = f"{SCAIBUNKER}/bunkers"

pytestmark = pytest.mark.usefixtures("always_works")


@pytest.fixture
def always_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests run nothing, so they need no bubblewrap."""

    async def probe(folder: Path) -> None:
        assert (folder / "workspace").is_dir()

    monkeypatch.setattr(sandbox, "probe", probe)


@pytest.fixture
async def alice(grid: RunningGrid) -> Caller:
    return await grid.caller("usr_alice")


def folders_of(config: GridConfig) -> list[str]:
    root = config.database.with_name("grid.db.bunkers")
    return sorted(path.name for path in root.iterdir()) if root.exists() else []


async def make(caller: Caller, **body: Any) -> dict[str, Any]:
    response = await caller("POST", BUNKERS, json={"image": "python-3.12"} | body)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()["data"]
    return made


async def ids(caller: Caller, **params: Any) -> list[str]:
    response = await caller("GET", BUNKERS, params=params)
    assert response.status_code == 200, response.text
    return [bunker["id"] for bunker in response.json()["data"]]


def code(response: Any) -> tuple[int, str]:
    return response.status_code, error_of(response)["code"]


async def test_a_bunker_runs_at_once(alice: Caller, config: GridConfig) -> None:
    bunker = await make(alice, name="scratch", env_vars={"TOKEN": "s3cret"}, label_set={"team": "eng"})

    assert bunker["id"].startswith("bnk_")
    assert bunker == {
        "id": bunker["id"],
        "tenant_id": "tnt_acme",
        "status": "running",
        "image": "python-3.12",
        "lifecycle_mode": "ephemeral",
        "name": "scratch",
        "network_profile": "isolated",
        "network_allowlist": None,
        "cpu_millicores": 1000,
        "memory_mb": 512,
        "disk_mb": 1024,
        "gpu_count": 0,
        "gpu_type": None,
        "max_lifetime_s": None,
        "idle_timeout_s": None,
        "session_type": "standalone",
        "session_ref": None,
        "label_set": {"team": "eng"},
        "created_at": "2026-04-29T12:34:56.000Z",
        "updated_at": "2026-04-29T12:34:56.000Z",
    }
    assert (await alice("GET", f"{BUNKERS}/{bunker['id']}")).json()["data"] == bunker
    assert folders_of(config) == [bunker["id"]]
    assert config.database.with_name("grid.db.bunkers").stat().st_mode & 0o777 == 0o700


async def test_lists_are_paged_in_an_envelope_of_their_own(alice: Caller) -> None:
    made = [(await make(alice, lifecycle_mode=mode))["id"] for mode in ("ephemeral", "session", "persistent")]
    first = (await alice("GET", BUNKERS, params={"limit": 2})).json()

    assert set(first) == {"status", "data", "has_more", "next_cursor", "meta"}
    assert ([row["id"] for row in first["data"]], first["has_more"]) == (made[:2], True)
    rest = (await alice("GET", BUNKERS, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [row["id"] for row in rest["data"]] == made[2:]
    assert (rest["has_more"], rest["next_cursor"]) == (False, None)
    assert await ids(alice, lifecycle="session") == made[1:2]
    await alice("POST", f"{BUNKERS}/{made[0]}/pause")
    assert await ids(alice, status="running") == made[1:]


async def test_what_is_destroyed_leaves_no_folder(alice: Caller, config: GridConfig) -> None:
    bunker = await make(alice)
    path = f"{BUNKERS}/{bunker['id']}"

    assert (await alice("DELETE", path)).status_code == 204
    assert folders_of(config) == []
    assert code(await alice("GET", path)) == (404, "BUNKER_NOT_FOUND")
    assert code(await alice("DELETE", path)) == (404, "BUNKER_NOT_FOUND")
    assert code(await alice("POST", f"{path}/exec", json={"command": "ls"})) == (404, "BUNKER_NOT_FOUND")


async def test_bunkers_are_their_tenants_alone(grid: RunningGrid, alice: Caller) -> None:
    bunker = await make(alice)
    root = await grid.caller("usr_root")
    path = f"{BUNKERS}/{bunker['id']}"

    assert await ids(await grid.caller("usr_carol")) == [bunker["id"]]
    assert await ids(root) == []
    for method, foreign in (
        ("GET", path),
        ("DELETE", path),
        ("POST", f"{path}/pause"),
        ("POST", f"{path}/exec"),
        ("PUT", f"{path}/files?path=x"),
        ("GET", f"{path}/files?path=x"),
        ("DELETE", f"{path}/files?path=x"),
    ):
        assert code(await root(method, foreign, json={"command": "ls"})) == (404, "BUNKER_NOT_FOUND")


async def test_bunkers_need_their_permissions(grid: RunningGrid, alice: Caller) -> None:
    bob = await grid.caller("usr_bob")
    path = f"{BUNKERS}/{(await make(alice))['id']}"

    for method, forbidden, permission in (
        ("POST", BUNKERS, "create"),
        ("DELETE", path, "create"),
        ("POST", f"{path}/exec", "execute"),
        ("GET", f"{path}/files?path=x", "files"),
    ):
        response = await bob(method, forbidden, json={"image": "x"})
        assert response.status_code == 403
        assert error_of(response)["message"] == f"permission_denied: need scaibunker:{permission}"
    assert (await grid.http.get(BUNKERS)).status_code == 401


UNFIT: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"image": ""}, (422, "VALIDATION_ERROR")),
    ({"image": "-x"}, (422, "VALIDATION_ERROR")),
    ({"lifecycle_mode": "appliance"}, (422, "VALIDATION_ERROR")),
    ({"memory_mb": 0}, (422, "VALIDATION_ERROR")),
    ({"network_allowlist": ["packages.example.com"]}, (422, "VALIDATION_ERROR")),
    ({"network_profile": "allowlisted"}, (422, "VALIDATION_ERROR")),
    (
        {"network_profile": "allowlisted", "network_allowlist": ["https://packages.example.com"]},
        (422, "VALIDATION_ERROR"),
    ),
    ({"network_profile": "allowlisted", "network_allowlist": ["a.*.org"]}, (422, "VALIDATION_ERROR")),
    ({"network_profile": "transit"}, (422, "TRANSIT_MISSING_INTERFACES")),
    ({"interfaces": [{"if_name": "eth1"}]}, (422, "INTERFACES_NOT_ALLOWED")),
    ({"gpu_count": 1}, (503, "NO_SUITABLE_WORKER")),
]


async def test_a_bunker_that_cannot_be_is_refused(alice: Caller, config: GridConfig) -> None:
    for body, expected in UNFIT:
        response = await alice("POST", BUNKERS, json={"image": "python-3.12"} | body)
        assert code(response) == expected, body
    assert (await ids(alice), folders_of(config)) == ([], [])


async def test_profiles_that_reach_out_are_taken_and_told_back(alice: Caller) -> None:
    bunker = await make(
        alice, network_profile="allowlisted", network_allowlist=["packages.example.com", "*.example.com"]
    )

    assert (bunker["network_profile"], bunker["network_allowlist"]) == (
        "allowlisted",
        ["packages.example.com", "*.example.com"],
    )


async def test_a_tenant_has_a_share(alice: Caller, config: GridConfig) -> None:
    made = [await make(alice) for _ in range(16)]
    assert code(await alice("POST", BUNKERS, json={"image": "x"})) == (409, "BUNKER_QUOTA_EXCEEDED")
    assert len(folders_of(config)) == 16
    await alice("DELETE", f"{BUNKERS}/{made[0]['id']}")
    await make(alice)


async def test_bunkers_end_by_age_and_without_use(
    grid: RunningGrid, alice: Caller, config: GridConfig
) -> None:
    idle = await make(alice)
    lasting = await make(alice, lifecycle_mode="persistent")
    short = await make(alice, lifecycle_mode="persistent", max_lifetime_s=60)
    grid.clock.forward(60)
    assert await ids(alice) == [idle["id"], lasting["id"]]
    grid.clock.forward(840)
    assert await ids(alice) == [lasting["id"]]
    grid.clock.forward(2000)

    assert await ids(alice) == [lasting["id"]]
    assert folders_of(config) == [lasting["id"]]
    assert short["id"] not in folders_of(config)


async def test_a_paused_bunker_runs_nothing(alice: Caller) -> None:
    path = f"{BUNKERS}/{(await make(alice))['id']}"
    assert (await alice("POST", f"{path}/pause")).json()["data"]["status"] == "paused"

    assert code(await alice("POST", f"{path}/exec", json={"command": "ls"})) == (409, "BUNKER_NOT_RUNNING")
    assert (await alice("POST", f"{path}/resume")).json()["data"]["status"] == "running"


async def test_bunkers_survive_a_restart_but_not_their_runs(config: GridConfig) -> None:
    async with running_grid(config) as first:
        alice = await first.caller("usr_alice")
        kept = await make(alice)
        await make(alice, session_type="scaicore", session_ref="exec_gone")
        persistent = await make(
            alice, lifecycle_mode="persistent", session_type="scaicore", session_ref="core_x"
        )
    config.database.with_name("grid.db.bunkers").joinpath("bnk_orphan", "workspace").mkdir(parents=True)
    async with running_grid(config) as second:
        alice = await second.caller("usr_alice")
        assert await ids(alice) == [kept["id"], persistent["id"]]
        assert folders_of(config) == sorted([kept["id"], persistent["id"]])


NO_COMMANDS: list[dict[str, Any]] = [
    {},
    {"command": []},
    {"command": ""},
    {"command": [""]},
    {"command": ["ls", 1]},
    {"command": ["a\0b"]},
    {"command": ["x" * 100_000]},
    {"command": ["ls"], "timeout_s": 0},
    {"command": ["ls"], "timeout_s": 601},
    {"command": ["ls"], "env": {"A=B": "c"}},
    {"command": ["ls"], "env": {"": "c"}},
    {"command": ["ls"], "workdir": "\0"},
]


async def test_what_is_no_command_is_refused(alice: Caller) -> None:
    path = f"{BUNKERS}/{(await make(alice))['id']}/exec"

    for body in NO_COMMANDS:
        assert code(await alice("POST", path, json=body)) == (422, "VALIDATION_ERROR"), body
