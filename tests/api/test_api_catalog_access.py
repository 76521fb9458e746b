"""Who sees a package, and who may change it."""

from dataclasses import replace

import httpx
import pytest
from api_catalog_calls import Json, listed, publish
from api_flow_calls import create, grant
from api_refusals import refused
from people import People

from scaiflow_api.resources import Resources

READS = [("GET", ""), ("GET", "/download"), ("POST", "/install")]
CHANGES = [("PATCH", ""), ("DELETE", "")]
HIDDEN = (404, "package_not_found")


async def outcome(
    api: httpx.AsyncClient, headers: dict[str, str], method: str, path: str
) -> tuple[int, str] | int:
    body = {} if method in {"POST", "PATCH"} else None
    answer = await api.request(method, f"/catalog/echo-agent{path}", json=body, headers=headers)
    return refused(answer) if answer.is_error else answer.status_code


@pytest.mark.parametrize(
    ("shown", "sees"),
    [
        ({}, {"bob", "alice", "carol", "erin", "root"}),
        (
            {"visibility": "tenant", "visibility_group_ids": ["grp_ops"]},
            {"bob", "alice", "carol", "erin", "root"},
        ),
        ({"visibility": "groups", "visibility_group_ids": ["grp_ops"]}, {"bob", "alice", "carol", "root"}),
        ({"visibility": "groups", "visibility_group_ids": ["grp_none"]}, {"bob", "alice", "root"}),
        ({"visibility": "groups"}, {"bob", "alice", "root"}),
    ],
)
async def test_a_package_is_seen_by_those_it_is_shown_to(
    api: httpx.AsyncClient, people: People, echo: Json, shown: Json, sees: set[str]
) -> None:
    await publish(api, people.bob.headers, echo, **shown)

    for name in ("bob", "alice", "carol", "erin", "dave", "root"):
        person = getattr(people, name)
        assert (await listed(api, person.headers) == ["echo-agent"]) is (name in sees), name
        for method, path in READS:
            # A super admin names the tenant; to everybody else it makes no difference.
            found = await outcome(api, person.headers, method, f"{path}?tenant_id=tnt_acme")
            if name == "carol" and method == "POST":
                assert found == (403, "permission_denied")
            else:
                assert found == (200 if name in sees else HIDDEN), (name, method, path)


async def test_a_super_admin_names_the_tenant(api: httpx.AsyncClient, people: People, echo: Json) -> None:
    await publish(api, people.bob.headers, echo, name="Acme's")
    await publish(api, people.dave.headers, echo, name="Globex's")
    await publish(api, people.root.headers, echo, name="Ours")
    names = {"": "Ours", "?tenant_id=tnt_acme": "Acme's", "?tenant_id=tnt_globex": "Globex's"}

    for query, name in names.items():
        read = await api.get(f"/catalog/echo-agent{query}", headers=people.root.headers)
        assert read.json()["name"] == name
    everywhere = await api.get("/catalog", headers=people.root.headers)
    assert {item["tenant_id"] for item in everywhere.json()} == {"tnt_acme", "tnt_globex", "tnt_platform"}
    for person, own in ((people.bob, "Acme's"), (people.dave, "Globex's")):
        assert [item["name"] for item in (await api.get("/catalog", headers=person.headers)).json()] == [own]
        assert (await api.get("/catalog/echo-agent", headers=person.headers)).json()["name"] == own
        foreign = await api.get("/catalog/echo-agent?tenant_id=tnt_platform", headers=person.headers)
        assert refused(foreign) == HIDDEN


async def test_a_group_of_the_same_name_in_another_tenant_is_another(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    await publish(
        api, people.bob.headers, echo, visibility="groups", visibility_group_ids=["grp_ops", "grp_eng"]
    )
    namesake = replace(people.bob, tenant_id="tnt_globex")

    assert await listed(api, namesake.headers) == []
    assert await outcome(api, namesake.headers, "GET", "?tenant_id=tnt_acme") == HIDDEN


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_only_the_author_and_administrators_change_a_package(
    api: httpx.AsyncClient, people: People, echo: Json, method: str, path: str
) -> None:
    for name, expected in {
        "bob": 200,
        "alice": 200,
        "root": 200,
        "erin": (403, "not_package_author"),
        "carol": (403, "permission_denied"),
        "dave": HIDDEN,
        "nobody": (403, "permission_denied"),
    }.items():
        await publish(api, people.bob.headers, echo)
        headers = getattr(people, name).headers
        found = await outcome(api, headers, method, f"{path}?tenant_id=tnt_acme")
        assert found == (204 if expected == 200 and method == "DELETE" else expected), name


async def test_what_one_may_not_see_one_cannot_change(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    await publish(api, people.bob.headers, echo, visibility="groups", visibility_group_ids=["grp_ops"])

    for method, path in CHANGES:
        assert await outcome(api, people.erin.headers, method, path) == HIDDEN


@pytest.mark.parametrize("visibility", ["tenant", "groups"])
async def test_only_the_author_and_administrators_publish_further_versions(
    api: httpx.AsyncClient, people: People, echo: Json, visibility: str
) -> None:
    await publish(api, people.bob.headers, echo, visibility=visibility)
    body = {"package_id": "echo-agent", "content": echo}

    # An id can be taken but once in a tenant, so that it is taken cannot be hidden.
    stranger = await api.post("/catalog/publish", json=body, headers=people.erin.headers)
    assert refused(stranger) == (403, "not_package_author")
    looker = await api.post("/catalog/publish", json=body, headers=people.carol.headers)
    assert refused(looker) == (403, "permission_denied")
    admin = await api.post("/catalog/publish", json=body, headers=people.alice.headers)
    assert (admin.status_code, admin.json()["version"]) == (201, "0.1.1")
    assert admin.json()["author_id"] == "usr_bob"  # further versions do not take a package away
    read = (await api.get("/catalog/echo-agent", headers=people.bob.headers)).json()
    assert [row["author_id"] for row in read["versions"]] == ["usr_alice", "usr_bob"]
    # Elsewhere the id is free.
    assert (await publish(api, people.dave.headers, echo))["version"] == "0.1.0"


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (None, (404, "flow_not_found")),
        ("view", (403, "insufficient_acl")),
        ("edit", (403, "insufficient_acl")),
        ("deploy", 201),
        ("admin", 201),
    ],
)
async def test_publishing_a_flow_needs_deploy_on_it(
    api: httpx.AsyncClient,
    people: People,
    resources: Resources,
    echo: Json,
    level: str | None,
    expected: tuple[int, str] | int,
) -> None:
    flow = await create(api, people.bob.headers, echo)
    if level is not None:
        await grant(resources, flow["id"], "usr_erin", level)

    answer = await api.post(
        "/catalog/publish", json={"package_id": "x", "flow_id": flow["id"]}, headers=people.erin.headers
    )

    assert (refused(answer) if answer.is_error else answer.status_code) == expected
    if isinstance(expected, tuple) and expected[0] == 403:
        assert (answer.json()["detail"]["needed"], answer.json()["detail"]["held"]) == ("deploy", level)


async def test_a_flow_of_another_tenant_is_not_published_here(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    flow = await create(api, people.bob.headers, echo)
    body = {"package_id": "x", "flow_id": flow["id"]}

    for person, expected in ((people.root, (403, "foreign_tenant")), (people.dave, (404, "flow_not_found"))):
        answer = await api.post("/catalog/publish", json=body, headers=person.headers)
        assert refused(answer) == expected
