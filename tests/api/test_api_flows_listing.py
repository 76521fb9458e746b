"""GET /v1/flows: orders, pages, filters."""

from typing import Any

import httpx
import pytest
from api_flow_calls import Json, create, grant
from api_refusals import refused
from people import People

from scaiflow_api.resources import Resources

NAMES = ["beta", "Alpha", "Älpha", "alpha", "Gamma 😀", "beta"]


async def walk(api: httpx.AsyncClient, headers: dict[str, str], size: int, **asked: Any) -> list[Json]:
    """Return all items of a list, page by page."""
    items: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await api.get("/flows", params={"limit": size, **asked, **cursor}, headers=headers)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) == size or page["next_cursor"] is None
        items += page["items"]
        if page["next_cursor"] is None:
            assert page["total"] == len(items)
            return items
        cursor = {"cursor": page["next_cursor"]}


@pytest.fixture
async def flows(api: httpx.AsyncClient, people: People, echo: Json) -> list[str]:
    """Ids of bob's flows, in the order of their making; the first was changed last."""
    made = [(await create(api, people.bob.headers, echo, name=name))["id"] for name in NAMES]
    await api.put(f"/flows/{made[0]}", json={"description": "touched"}, headers=people.bob.headers)
    return made


@pytest.mark.parametrize("sort", ["updated_at", "created_at", "name"])
@pytest.mark.parametrize("order", [None, "asc", "desc"])
async def test_pages_join_in_every_order(
    api: httpx.AsyncClient, people: People, flows: list[str], sort: str, order: str | None
) -> None:
    asked = {"sort": sort, **({"order": order} if order else {})}
    falls = order == "desc" or (order is None and sort != "name")

    items = await walk(api, people.bob.headers, 500, **asked)

    assert sorted(item["id"] for item in items) == sorted(flows)
    if sort == "name":
        named = [item["name"].lower() for item in items if item["name"].isascii()]
        assert named == sorted(named, reverse=falls)
        ids = [item["id"] for item in items if item["name"] == "beta"]
        assert ids == sorted(ids, reverse=falls), "the id decides between equals"
    else:
        by_age = {"created_at": flows, "updated_at": [*flows[1:], flows[0]]}[sort]
        assert [item["id"] for item in items] == (by_age[::-1] if falls else by_age)
    for size in (1, 2, len(flows) - 1, len(flows)):
        assert await walk(api, people.bob.headers, size, **asked) == items


async def test_a_list_is_the_newest_change_first_unless_told_otherwise(
    api: httpx.AsyncClient, people: People, flows: list[str]
) -> None:
    headers = people.bob.headers
    plain = (await api.get("/flows", headers=headers)).json()

    assert [item["id"] for item in plain["items"]] == [flows[0], *flows[:0:-1]]
    assert plain == (await api.get("/flows?sort=updated_at&order=desc", headers=headers)).json()


async def test_pages_neither_repeat_nor_skip_what_stays_while_others_come_and_go(
    api: httpx.AsyncClient, people: People, flows: list[str], echo: Json
) -> None:
    headers = people.bob.headers
    first = (await api.get("/flows?sort=name&limit=3", headers=headers)).json()
    seen = [item["id"] for item in first["items"]]
    await api.delete(f"/flows/{seen[-1]}", headers=headers)
    await create(api, headers, echo, name="aaa, before the page")
    late = await create(api, headers, echo, name="zzz, behind it")

    rest = await api.get("/flows", params={"sort": "name", "cursor": first["next_cursor"]}, headers=headers)

    assert sorted([*seen, *(item["id"] for item in rest.json()["items"])]) == sorted([*flows, late["id"]])
    assert rest.json()["total"] == len(flows) + 1


@pytest.mark.parametrize(
    "other",
    [{}, {"sort": "created_at"}, {"sort": "name", "order": "desc"}, {"sort": "updated_at", "order": "asc"}],
)
async def test_a_cursor_belongs_to_its_order(
    api: httpx.AsyncClient, people: People, flows: list[str], other: dict[str, str]
) -> None:
    headers = people.bob.headers
    page = (await api.get("/flows?sort=name&limit=2", headers=headers)).json()

    answer = await api.get("/flows", params={**other, "cursor": page["next_cursor"]}, headers=headers)

    assert refused(answer) == (400, "invalid_cursor")


async def test_a_cursor_holds_the_longest_name(api: httpx.AsyncClient, people: People, echo: Json) -> None:
    for last in "AB":
        await create(api, people.bob.headers, echo, name="😀" * 199 + last)

    items = await walk(api, people.bob.headers, 1, sort="name")

    assert [item["name"][-1] for item in items] == ["A", "B"]


class TestOwners:
    async def test_the_owner_narrows_the_list_and_its_total(
        self, api: httpx.AsyncClient, people: People, resources: Resources, echo: Json
    ) -> None:
        bobs = await create(api, people.bob.headers, echo, name="Bob's")
        erins = await create(api, people.erin.headers, echo, name="Erin's")
        await grant(resources, bobs["id"], "usr_erin", "view")

        async def listed(who: str, owner: str) -> tuple[list[str], int]:
            headers = getattr(people, who).headers
            page = (await api.get("/flows", params={"owner": owner}, headers=headers)).json()
            return [item["id"] for item in page["items"]], page["total"]

        assert await listed("erin", "me") == ([erins["id"]], 1)
        assert await listed("erin", "usr_bob") == ([bobs["id"]], 1)
        assert await listed("alice", "me") == ([], 0)
        assert await listed("alice", "usr_erin") == ([erins["id"]], 1)
        assert await listed("bob", "usr_erin") == ([], 0), "a filter shows nothing that was hidden"
        assert await listed("dave", "usr_bob") == ([], 0)


class TestDeleted:
    """`?deleted=true`: what the caller may restore."""

    @pytest.fixture
    async def gone(self, api: httpx.AsyncClient, people: People, echo: Json) -> list[str]:
        made = [(await create(api, people.bob.headers, echo, name=name))["id"] for name in ("x", "y", "kept")]
        for flow_id in made[:2]:
            await api.delete(f"/flows/{flow_id}", headers=people.bob.headers)
        return made[:2]

    @pytest.mark.parametrize(
        ("who", "level", "sees"),
        [
            *[("bob", None, True), ("alice", None, True), ("root", None, True), ("erin", None, False)],
            *[("erin", "view", False), ("erin", "deploy", False), ("erin", "admin", True)],
            *[("dave", None, False), ("dave", "admin", False)],
        ],
    )
    async def test_who_may_restore_sees_them(
        self,
        api: httpx.AsyncClient,
        people: People,
        resources: Resources,
        gone: list[str],
        who: str,
        level: str | None,
        sees: bool,
    ) -> None:
        person = getattr(people, who)
        if level is not None:
            for flow_id in gone:
                await grant(resources, flow_id, person.id, level)

        page = (await api.get("/flows?deleted=true", headers=person.headers)).json()

        assert [item["id"] for item in page["items"]] == (gone[::-1] if sees else [])
        assert page["total"] == (2 if sees else 0)
        assert all(item["deleted_at"] == item["updated_at"] for item in page["items"])

    async def test_they_come_in_pages_and_are_no_part_of_the_other_list(
        self, api: httpx.AsyncClient, people: People, gone: list[str]
    ) -> None:
        there = (await api.get("/flows", headers=people.bob.headers)).json()
        assert [item["name"] for item in there["items"]] == ["kept"]
        assert "deleted_at" not in there["items"][0]
        items = await walk(api, people.bob.headers, 1, deleted="true", sort="name", search="X")
        assert [item["id"] for item in items] == gone[:1]

    @pytest.mark.parametrize("who", ["bob", "alice", "root"])
    @pytest.mark.parametrize("sort", ["updated_at", "created_at", "name"])
    @pytest.mark.parametrize("order", ["asc", "desc"])
    async def test_their_pages_join_in_every_order(
        self, api: httpx.AsyncClient, people: People, gone: list[str], who: str, sort: str, order: str
    ) -> None:
        headers = getattr(people, who).headers
        items = await walk(api, headers, 1, deleted="true", sort=sort, order=order)
        assert [item["id"] for item in items] == (gone if order == "asc" else gone[::-1])


@pytest.mark.parametrize(
    "query", ["sort=owner", "sort=-name", "order=up", "deleted=perhaps", f"owner={'u' * 129}", "limit=0"]
)
async def test_a_malformed_query_is_refused(api: httpx.AsyncClient, people: People, query: str) -> None:
    answer = await api.get(f"/flows?{query}", headers=people.bob.headers)

    assert refused(answer) == (422, "invalid_request")


async def test_names_are_found_and_sorted_without_regard_to_case_in_every_language(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    for name in ("ÄRGER 100%", "ärmel", "İstanbul", "a/b_c"):
        await create(api, people.bob.headers, echo, name=name)

    async def found(search: str) -> list[str]:
        answer = await api.get(
            "/flows", params={"search": search, "sort": "name"}, headers=people.bob.headers
        )
        assert answer.json()["total"] == len(answer.json()["items"])
        return [item["name"] for item in answer.json()["items"]]

    assert sorted(await found("Är")) == sorted(["ÄRGER 100%", "ärmel"])
    assert await found("0%") == ["ÄRGER 100%"]
    assert await found("İST") == ["İstanbul"]
    assert await found("/B_") == ["a/b_c"]
    assert await found("_%") == []


async def test_a_renamed_flow_is_found_by_its_new_name(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    flow = await create(api, people.bob.headers, echo, name="Before")
    await api.put(f"/flows/{flow['id']}", json={"name": "After"}, headers=people.bob.headers)

    for search, total in (("after", 1), ("before", 0)):
        answer = await api.get("/flows", params={"search": search}, headers=people.bob.headers)
        assert answer.json()["total"] == total


async def test_the_total_is_known_behind_the_last_page_too(
    api: httpx.AsyncClient, people: People, flows: list[str]
) -> None:
    headers = people.bob.headers
    page = (await api.get("/flows?limit=5", headers=headers)).json()
    for flow_id in flows:
        if flow_id not in [item["id"] for item in page["items"]]:
            await api.delete(f"/flows/{flow_id}", headers=headers)

    behind = (await api.get(f"/flows?cursor={page['next_cursor']}", headers=headers)).json()

    assert (behind["items"], behind["total"], behind["next_cursor"]) == ([], 5, None)
