"""Packages: published, read, downloaded, installed, changed and deleted."""

import hashlib
from typing import Any

import httpx
import pytest
from api_catalog_calls import Json, listed, publish, versions
from api_refusals import refused
from people import People

from scaiflow_api.compiler.package import PackageInfo, build_package
from scaiflow_api.compiler.package_reader import read_package
from scaiflow_api.resources import Resources

URL = "https://erp.example/orders"


async def test_a_document_becomes_a_package(api: httpx.AsyncClient, people: People, echo: Json) -> None:
    made = await publish(
        api, people.bob.headers, echo, description="Says it again.", version="0.2.0", readme="# Echo"
    )

    assert made == {
        "package_id": "echo-agent",
        "tenant_id": "tnt_acme",
        "name": "Echo Agent",
        "description": "Says it again.",
        "version": "0.2.0",
        "author_id": "usr_bob",
        "author_email": "bob@example.test",
        "visibility": "tenant",
        "visibility_group_ids": [],
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    assert (await api.get("/catalog", headers=people.carol.headers)).json() == [made]
    read = (await api.get("/catalog/echo-agent", headers=people.carol.headers)).json()
    assert {key: read[key] for key in made} == made
    assert read["readme"] == "# Echo"
    assert [(row["version"], row["is_latest"], row["author_id"]) for row in read["versions"]] == [
        ("0.2.0", True, "usr_bob")
    ]


async def test_a_flow_becomes_a_package(api: httpx.AsyncClient, people: People, echo: Json) -> None:
    flow = (
        await api.post("/flows", json={"content": echo, "name": "Kept"}, headers=people.bob.headers)
    ).json()
    body = {"package_id": "kept", "flow_id": flow["id"], "description": "", "version": "1.0.0", "readme": ""}

    made = await api.post("/catalog/publish", json=body, headers=people.bob.headers)

    assert (made.status_code, made.json()["name"]) == (201, "Kept")
    read = (await api.get("/catalog/kept", headers=people.bob.headers)).json()
    assert read["readme"] is None


async def test_the_file_is_the_same_wherever_it_is_made(
    api: httpx.AsyncClient, people: People, echo: Json, resources: Resources
) -> None:
    await publish(api, people.bob.headers, echo, readme="# Echo")

    file = await api.get("/catalog/echo-agent/download", headers=people.carol.headers)

    info = PackageInfo(package_id="echo-agent", name="Echo Agent")
    assert file.content == build_package(echo, info, readme="# Echo")
    assert file.headers["content-type"] == "application/zip"
    assert file.headers["content-disposition"] == 'attachment; filename="echo-agent-0.1.0.scaipkg"'
    assert await resources.blobs.get("catalog/tnt_acme/echo-agent/v0.1.0.scaipkg") == file.content
    row = (await api.get("/catalog/echo-agent", headers=people.bob.headers)).json()["versions"][0]
    assert (row["sha256"], row["size"]) == (hashlib.sha256(file.content).hexdigest(), len(file.content))


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (["0.1.0", "0.1.0", "0.1.0"], ["0.1.0", "0.1.1", "0.1.2"]),
        (["1.0.0", "1.0.1", "1.0.0"], ["1.0.0", "1.0.1", "1.0.2"]),
        ([None, None, "3.0.0", None], ["0.1.0", "0.1.1", "3.0.0", "3.0.1"]),
        (["2.0.0", "0.5.0"], ["2.0.0", "0.5.0"]),
        (["1.0.0-rc.1", "1.0.0-rc.1", "1.0.0"], ["1.0.0-rc.1", "1.0.1-rc.1", "1.0.0"]),
        (["1.0.0+b.1", "1.0.0+b.1"], ["1.0.0+b.1", "1.0.1+b.1"]),
    ],
)
async def test_a_version_is_given_once(
    api: httpx.AsyncClient, people: People, echo: Json, asked: list[str | None], given: list[str]
) -> None:
    for wanted, expected in zip(asked, given, strict=True):
        made = await publish(api, people.bob.headers, echo, **({"version": wanted} if wanted else {}))
        assert made["version"] == expected

    assert await versions(api, people.bob.headers) == given[::-1]
    assert (await api.get("/catalog", headers=people.bob.headers)).json()[0]["version"] == given[-1]


async def test_what_a_further_version_does_not_say_stays(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    said = {"name": "Echo!", "description": "d", "visibility": "groups", "visibility_group_ids": ["grp_eng"]}
    first = await publish(api, people.bob.headers, echo, readme="# One", **said)

    second = await publish(api, people.bob.headers, echo)

    kept = ("name", "description", "visibility", "visibility_group_ids", "created_at", "author_id")
    assert {key: second[key] for key in kept} == {key: first[key] for key in kept}
    assert second["updated_at"] > first["updated_at"]
    # A README is one version's.
    assert (await api.get("/catalog/echo-agent", headers=people.bob.headers)).json()["readme"] is None
    third = await publish(api, people.bob.headers, echo, name="Echo", description="", visibility="tenant")
    assert (third["name"], third["description"], third["visibility"]) == ("Echo", "", "tenant")


async def test_an_old_version_is_still_what_it_was(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    await publish(api, people.bob.headers, echo)
    await publish(api, people.bob.headers, {**echo, "name": "Changed"})

    old = await api.post(
        "/catalog/echo-agent/install", json={"version": "0.1.0"}, headers=people.erin.headers
    )
    new = await api.post("/catalog/echo-agent/install", headers=people.erin.headers)

    assert (old.json()["content"]["name"], new.json()["content"]["name"]) == ("Echo Agent", "Changed")
    for path in ("/catalog/echo-agent/download?version=9.9.9", "/catalog/echo-agent/download?version="):
        missing = await api.get(path, headers=people.erin.headers)
        assert refused(missing) == (404, "package_version_not_found")


async def test_an_installed_copy_has_an_id_of_its_own(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    await publish(api, people.bob.headers, echo)

    copies = [
        (await api.post("/catalog/echo-agent/install", json={}, headers=people.erin.headers)).json()[
            "content"
        ]
        for _ in range(2)
    ]

    assert len({echo["id"], *(copy["id"] for copy in copies)}) == 3
    assert all({**copy, "id": echo["id"]} == echo for copy in copies)
    assert (await api.get("/flows", headers=people.erin.headers)).json()["total"] == 0


async def test_an_installed_copy_can_be_kept(api: httpx.AsyncClient, people: People, echo: Json) -> None:
    await publish(api, people.bob.headers, echo)

    kept = await api.post("/catalog/echo-agent/install", json={"save": True}, headers=people.erin.headers)

    assert kept.status_code == 201
    flow = kept.json()
    assert (flow["owner_id"], flow["name"], flow["content"]["id"]) == ("usr_erin", "Echo Agent", flow["id"])
    assert (await api.get(f"/flows/{flow['id']}", headers=people.erin.headers)).json() == flow
    [version] = (await api.get(f"/flows/{flow['id']}/versions", headers=people.erin.headers)).json()
    assert version["message"] == "Installed from the catalog: echo-agent 0.1.0"


@pytest.mark.parametrize("content", [{}, {"id": "flow_x"}, {"nodes": 7}])
async def test_what_does_not_compile_is_not_published(
    api: httpx.AsyncClient, people: People, resources: Resources, content: Json
) -> None:
    answer = await api.post(
        "/catalog/publish", json={"package_id": "x", "content": content}, headers=people.bob.headers
    )

    assert refused(answer) == (400, "compile_error")
    assert answer.json()["detail"]["diagnostics"][0]["code"].startswith("SF0")
    assert await listed(api, people.bob.headers) == []
    assert [info async for info in resources.blobs.keys("catalog/")] == []


async def test_a_flow_that_does_not_compile_says_why(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    unfinished = {**echo, "nodes": [], "edges": []}
    flow = (await api.post("/flows", json={"content": unfinished}, headers=people.bob.headers)).json()

    answer = await api.post(
        "/catalog/publish", json={"package_id": "x", "flow_id": flow["id"]}, headers=people.bob.headers
    )

    assert refused(answer) == (400, "compile_error")
    assert [found["code"] for found in answer.json()["detail"]["diagnostics"]] == ["SF110"]


SECRET = "sgk_" + "a1b2c3d4e5f6" * 3


def with_call(echo: Json, node_id: str = "node_call", **config: Any) -> Json:
    position = {"x": 0, "y": 0}
    node = {"id": node_id, "type": "tool_http", "label": "Call", "position": position, "config": config}
    edge = {
        "id": "edge_call",
        "type": "sequential",
        "source": {"node": "node_echo", "port": "out"},
        "target": {"node": node_id, "port": "in"},
    }
    return {**echo, "nodes": [*echo["nodes"], node], "edges": [*echo["edges"], edge]}


@pytest.mark.parametrize(
    ("node_id", "config", "path", "shown_node"),
    [
        ("node_call", {"url": URL, "body": {"k": SECRET}}, "nodes[2].config.body.k", "node_call"),
        (
            "node_call",
            {"url": URL, "body": {"password": "abc"}},
            "nodes[2].config.body.password",
            "node_call",
        ),
        (
            "node_call",
            {"url": URL, "headers": {"Authorization": "Basic c2NhaTpmbG93"}},
            "nodes[2].config.headers.Authorization",
            "node_call",
        ),
        (SECRET, {"url": URL}, "nodes[2].id", None),
    ],
)
async def test_a_secret_is_not_published(
    api: httpx.AsyncClient,
    people: People,
    echo: Json,
    resources: Resources,
    node_id: str,
    config: Json,
    path: str,
    shown_node: str | None,
) -> None:
    answer = await api.post(
        "/catalog/publish",
        json={"package_id": "x", "content": with_call(echo, node_id, **config)},
        headers=people.bob.headers,
    )

    assert refused(answer) == (400, "literal_secret")
    detail = answer.json()["detail"]
    del detail["trace_id"]  # random letters
    assert detail["secrets"][0] == {"path": path, "node_id": shown_node}
    assert path in detail["message"]
    assert not any(secret in str(detail) for secret in (SECRET, "abc", "c2NhaTpmbG93"))
    assert [info async for info in resources.blobs.keys("catalog/")] == []


@pytest.mark.parametrize("field", ["name", "description", "readme"])
async def test_a_secret_beside_the_flow_is_not_published(
    api: httpx.AsyncClient, people: People, echo: Json, field: str
) -> None:
    body = {"package_id": "x", "content": echo, field: f"call it with {SECRET}"}
    answer = await api.post("/catalog/publish", json=body, headers=people.bob.headers)

    assert refused(answer) == (400, "literal_secret")
    assert answer.json()["detail"]["secrets"] == [{"path": field, "node_id": None}]
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    "fields",
    [
        {"package_id": "Echo"},
        {"package_id": "a--b"},
        {"package_id": "../x"},
        {"package_id": "a\n"},
        {"package_id": ""},
        {"package_id": "a" * 65},
        {"version": "1"},
        {"version": "v1.0.0"},
        {"version": "1.0.0\n"},
        {"version": "1.0." + "1" * 60},
        {"name": " "},
        {"name": "a\0"},
        {"readme": "\0"},
        {"visibility": "public"},
        {"visibility_group_ids": [""]},
        {"visibility_group_ids": "grp_eng"},
        {"content": None},
        {"flow_id": "flow_x"},
        {"unknown": 1},
    ],
)
async def test_what_is_no_request_is_refused(
    api: httpx.AsyncClient, people: People, echo: Json, fields: Json
) -> None:
    body = {"package_id": "x", "content": echo, **fields}
    answer = await api.post("/catalog/publish", json=body, headers=people.bob.headers)

    assert refused(answer) == (422, "invalid_request")


async def test_a_readme_is_bounded_in_bytes(api: httpx.AsyncClient, people: People, echo: Json) -> None:
    body = {"package_id": "x", "content": echo, "readme": "é" * 600_000}
    answer = await api.post("/catalog/publish", json=body, headers=people.bob.headers)

    assert refused(answer) == (422, "invalid_package")
    assert "README.md is larger than 1,048,576 bytes" in answer.json()["detail"]["message"]


async def test_a_package_is_renamed_and_shown_to_others(
    api: httpx.AsyncClient, people: People, echo: Json
) -> None:
    made = await publish(api, people.bob.headers, echo)
    groups = {"visibility": "groups", "visibility_group_ids": ["grp_ops", "grp_eng", "grp_ops"]}

    changed = await api.patch(
        "/catalog/echo-agent", json={"name": "New", "description": "d", **groups}, headers=people.bob.headers
    )

    assert changed.status_code == 200
    assert changed.json() == {
        **made,
        "name": "New",
        "description": "d",
        "visibility": "groups",
        "visibility_group_ids": ["grp_eng", "grp_ops"],
        "updated_at": changed.json()["updated_at"],
    }
    assert changed.json()["updated_at"] > made["updated_at"]
    unchanged = await api.patch("/catalog/echo-agent", json={}, headers=people.bob.headers)
    assert unchanged.json() == changed.json()
    none = {"visibility_group_ids": []}
    assert (await api.patch("/catalog/echo-agent", json=none, headers=people.bob.headers)).json()[
        "visibility_group_ids"
    ] == []


async def test_a_deleted_package_is_gone_and_its_numbers_are_not_given_again(
    api: httpx.AsyncClient, people: People, echo: Json, resources: Resources
) -> None:
    await publish(api, people.bob.headers, echo)
    await publish(api, people.bob.headers, echo)

    assert (await api.delete("/catalog/echo-agent", headers=people.bob.headers)).status_code == 204

    assert await listed(api, people.bob.headers) == []
    for method, path in (
        ("GET", ""),
        ("GET", "/download"),
        ("POST", "/install"),
        ("PATCH", ""),
        ("DELETE", ""),
    ):
        body = {} if method in {"POST", "PATCH"} else None
        answer = await api.request(
            method, f"/catalog/echo-agent{path}", json=body, headers=people.bob.headers
        )
        assert refused(answer) == (404, "package_not_found")
    # Whoever comes next is the author; nobody finds other bytes under a number that once was another's.
    again = await publish(api, people.erin.headers, echo, version="0.1.0")
    assert (again["author_id"], again["version"]) == ("usr_erin", "0.1.2")
    assert await versions(api, people.bob.headers) == ["0.1.2"]


async def test_a_long_list_comes_in_pages(api: httpx.AsyncClient, people: People, echo: Json) -> None:
    names = [f"p{number}" for number in range(5)]
    for name in names:
        await publish(api, people.bob.headers, echo, package_id=name)

    seen, address = [], "/api/v1/catalog?limit=2"
    while address:
        page = await api.get(f"http://api.test{address}", headers=people.bob.headers)
        seen.append([item["package_id"] for item in page.json()])
        address = page.links.get("next", {}).get("url")

    assert seen == [["p4", "p3"], ["p2", "p1"], ["p0"]]
    for cursor in ("x", "WyJhIl0", "WyJhIiwiYiJd"):
        answer = await api.get("/catalog", params={"cursor": cursor}, headers=people.bob.headers)
        assert refused(answer) == (400, "invalid_cursor")


async def test_what_was_published_is_what_is_read(api: httpx.AsyncClient, people: People, echo: Json) -> None:
    await publish(api, people.bob.headers, echo, name="N", description="D", readme="R", version="4.5.6")
    file = await api.get("/catalog/echo-agent/download", headers=people.bob.headers)

    package = read_package(file.content)

    assert package.document == echo
    assert package.readme == "R"
    assert package.info == PackageInfo(package_id="echo-agent", name="N", version="4.5.6", description="D")
