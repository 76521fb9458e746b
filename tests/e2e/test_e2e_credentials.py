"""A tenant's key: set by its administrator, kept in ScaiVault, and paying where no token may; over real servers."""

import sqlite3
from pathlib import Path

import httpx
from servers import Place, running, scaiflow

from scaiflow_api.cli.environment import GRID_KEY

URL = "/tenants/me/scaigrid_credentials"
PLACE = "tenants/tnt_acme/scaigrid_api_key"


def test_a_tenants_key_is_kept_in_the_vault_and_pays(tmp_path: Path) -> None:
    place = Place(tmp_path / "data")
    own = f"http://127.0.0.1:{place.grid_port}/scaigrid/"
    with (
        running(place, scaiflow("dev"), f"{place.api}/healthz", place.grid, SCAIFLOW_DEPLOY_AUTH="api_key"),
        httpx.Client(base_url=f"{place.api}/api/v1", timeout=20, trust_env=False) as api,
    ):
        alice, carol = place.headers("alice"), place.headers("carol")
        assert api.get("/scaigrid/models", headers=carol).status_code == 412

        wrong = api.post(URL, json={"api_key": "sgk_nobody-has-such-a-key"}, headers=alice)
        assert (wrong.status_code, wrong.json()["detail"]["error"]) == (422, "scaigrid_key_refused")
        for body in ({"api_key": GRID_KEY}, {"api_key": GRID_KEY, "base_url": own}):
            assert api.post(URL, json=body, headers=alice).status_code == 204

        assert api.get(URL, headers=carol).json()["masked_key"] == "sgk_…only"
        assert api.get("/scaigrid/models", headers=carol).json()["data"]
        for path in ("/scaiqueue/scopes", "/scaibunker/bunkers"):
            assert api.get(path, headers=carol).json() == {"data": []}

    with sqlite3.connect(place.folder / "grid.db") as vault:
        kept = vault.execute("SELECT version FROM secrets WHERE path = ?", (PLACE,)).fetchone()
    vault.close()
    assert kept == (2,)
