"""What an administrator does in ScaiKey is felt here within seconds, over real servers and a signed webhook."""

import time
from pathlib import Path
from typing import Any

import httpx
from servers import Place, running, scaiflow

from scaiflow_api.localgrid.scaikey.people import ADMIN_CLIENT, ADMIN_SECRET

WITHIN_S = 30
"""Five seconds are promised; a busy machine may need more to answer at all."""


def until(client: httpx.Client, path: str, headers: dict[str, str], expected: Any) -> None:
    """Ask until the answer is what was expected."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        answer = client.get(path, headers=headers)
        found = answer.status_code if answer.is_error else answer.json()["admin_role"]
        if found == expected:
            return
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.2)


def test_suspension_and_membership_reach_whoever_is_signed_in(tmp_path: Path) -> None:
    place = Place(tmp_path / "data")
    with (
        running(
            place, scaiflow("dev"), f"{place.api}/healthz", place.grid, SCAIFLOW_SUPER_ADMIN_GROUPS="grp_ops"
        ),
        httpx.Client(base_url=f"{place.api}/api/v1", timeout=20, trust_env=False) as api,
        httpx.Client(
            base_url=f"http://127.0.0.1:{place.grid_port}/scaikey/api/v1", timeout=20, trust_env=False
        ) as scaikey,
    ):
        form = {"grant_type": "client_credentials"}
        tokens = scaikey.post("/platform/oauth/token", data=form, auth=(ADMIN_CLIENT, ADMIN_SECRET)).json()
        scaikey.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        bob, carol, dave, root = (place.headers(who) for who in ("bob", "carol", "dave", "root"))

        # At start the mirror was synced: carol is in grp_ops.
        until(api, "/me", carol, "super_admin")
        until(api, "/me", bob, None)
        until(api, "/me", dave, None)

        scaikey.post("/admin/groups/grp_ops/members", json={"user_id": "usr_bob"}).raise_for_status()
        scaikey.post("/admin/users/usr_dave/suspend").raise_for_status()
        until(api, "/me", bob, "super_admin")
        until(api, "/me", dave, 401)

        scaikey.delete("/admin/groups/grp_ops/members/usr_bob").raise_for_status()
        scaikey.post("/admin/users/usr_dave/activate").raise_for_status()
        until(api, "/me", bob, None)
        until(api, "/me", dave, None)

        report = api.post("/admin/sync", headers=root).raise_for_status().json()
        assert (report["users_method"], report["users_seen"], report["users_added"]) == (
            "effective_users",
            5,
            0,
        )
