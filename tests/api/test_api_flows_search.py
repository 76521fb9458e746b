"""GET /v1/flows?search=: what an administrator of a tenant finds by a part of a name."""

import httpx
import pytest
from api_flow_calls import Json, create
from people import People
from sqlalchemy import select

from scaiflow_api.db.models.flow import FlowNameTail
from scaiflow_api.db.name_tails import LONGEST, tails_of
from scaiflow_api.domains.flows import repository
from scaiflow_api.resources import Resources

NAMES = (
    "banana",
    "Bandana",
    "ÄRGER 100%",
    "a/b_c",
    "a",
    "ab ab ab",
    "漢字😀",
    "x" * 70 + " end",
    "gone",
    "back",
)
PARTS = (
    *("a", "AN", "ana", "nana", "ban", "är", "0%", "/b_", "_", "ab", "ab ", " ab", "漢", "😀", "字😀"),
    *("x" * LONGEST, "x" * 65 + "X", "x" * 71, "x end", "gone", "back", "zz", "\\", "\U0010ffff"),
)


@pytest.fixture(params=[0, 500], ids=["walking", "sorting"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to a page: through all flows in their order, and by sorting those that were found."""
    monkeypatch.setattr(repository, "FEW", request.param)


async def kept(resources: Resources) -> set[tuple[str, bytes, int, str]]:
    async with resources.db.read() as session:
        rows = await session.scalars(select(FlowNameTail))
        return {(row.tenant_id, row.tail, row.seen, row.flow_id) for row in rows}


async def pages(api: httpx.AsyncClient, headers: dict[str, str], size: int, **asked: str) -> list[str]:
    """Return the names of all pages; each tells how many they are."""
    names: list[str] = []
    totals: set[int] = set()
    cursor: dict[str, str] = {}
    while True:
        answer = await api.get("/flows", params={"limit": size, **asked, **cursor}, headers=headers)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        names += [item["name"] for item in page["items"]]
        totals.add(page["total"])
        if page["next_cursor"] is None:
            assert totals == {len(names)}
            return names
        cursor = {"cursor": page["next_cursor"]}


@pytest.mark.usefixtures("few")
async def test_every_part_of_a_name_finds_it_through_all_that_happens_to_it(
    api: httpx.AsyncClient, people: People, resources: Resources, echo: Json
) -> None:
    bob, alice = people.bob.headers, people.alice.headers
    made = {name: (await create(api, bob, echo, name=name))["id"] for name in NAMES}
    await create(api, people.dave.headers, echo, name="banana of another tenant")
    names = [*NAMES[:-2], "back"]
    for change in ({"name": "Cabana"}, {"name": "Cabana", "content": echo}, {"description": "no other name"}):
        assert (await api.put(f"/flows/{made['banana']}", json=change, headers=bob)).status_code == 200
    names[0] = "Cabana"
    for name in ("gone", "back"):
        assert (await api.delete(f"/flows/{made[name]}", headers=bob)).status_code == 204
    assert (await api.post(f"/flows/{made['back']}/restore", headers=bob)).status_code == 200

    for part in PARTS:
        expected = {name for name in names if part.lower() in name.lower()}
        for size in (1, 50):
            assert set(await pages(api, alice, size, search=part)) == expected, part
    for sort in ("name", "created_at", "updated_at"):
        for order in ("asc", "desc"):
            asked = {"sort": sort, "order": order}
            in_order = [name for name in await pages(api, alice, 50, **asked) if "a" in name.lower()]
            assert await pages(api, alice, 2, search="A", **asked) == in_order
    ids = {**made, "Cabana": made["banana"]}
    ours = {row for row in await kept(resources) if row[0] == "tnt_acme"}
    assert ours == {("tnt_acme", *tail, ids[name]) for name in names for tail in tails_of(name.lower())}


async def test_a_change_that_fails_leaves_the_flow_where_it_was_found(
    api: httpx.AsyncClient, people: People, resources: Resources, echo: Json
) -> None:
    flow = await create(api, people.bob.headers, echo, name="steady")
    before = await kept(resources)
    stale = {**people.bob.headers, "If-Match": '"1.0.0-7"'}

    assert (await api.put(f"/flows/{flow['id']}", json={"name": "x"}, headers=stale)).status_code == 412
    assert (await api.delete(f"/flows/{flow['id']}", headers=stale)).status_code == 412
    assert (await api.post(f"/flows/{flow['id']}/restore", headers=people.bob.headers)).status_code == 409

    assert await kept(resources) == before
