"""How many flows there are, and how many have a letter in their name, is kept: as a count gives it, always."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from itertools import cycle

import httpx
import orjson
import pytest
from api_catalog_calls import publish
from api_flow_calls import Headers, Json, create
from people import People
from sqlalchemy import select

from scaiflow_api.db.models.flow import Flow, FlowCount
from scaiflow_api.resources import Resources

NAMES = ("banana", "Bandana", "ÄRGER 100%", "a", "漢字😀", "b c", "İ", "xyzzy")
BORN = ("create", "import", "copy", "install")
ALWAYS = (*BORN, "rename", "rename", "save", "describe")
STEPS = 40


async def kept_and_counted(
    resources: Resources,
) -> tuple[Mapping[tuple[str, bytes], int], Mapping[tuple[str, bytes], int]]:
    """Return the numbers that are kept, but for zeros, and those that counting the names gives."""
    async with resources.db.read() as session:
        kept = {(row.tenant_id, row.part): row.flows for row in await session.scalars(select(FlowCount))}
        flows = (await session.scalars(select(Flow).where(Flow.deleted_at.is_(None)))).all()
    letters = ((flow.tenant_id, letter.encode()) for flow in flows for letter in {"", *flow.name.lower()})
    return {place: number for place, number in kept.items() if number}, Counter(letters)


async def total(api: httpx.AsyncClient, headers: Headers, **asked: str) -> int:
    answer = await api.get("/flows", params={"limit": 1, **asked}, headers=headers)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["total"])


async def send(
    api: httpx.AsyncClient, headers: Headers, what: str, flow: str, name: str, content: Json
) -> httpx.Response:
    """Do one of the things after which there may be another number of flows, or other names."""
    match what:
        case "create":
            return await api.post("/flows", json={"content": content, "name": name}, headers=headers)
        case "import":
            body = {"content": orjson.dumps(content).decode(), "format": "json", "save": True, "name": name}
            return await api.post("/flows/import", json=body, headers=headers)
        case "install":
            return await api.post("/catalog/echo-agent/install", json={"save": True}, headers=headers)
        case "copy":
            return await api.post(f"/flows/{flow}/duplicate", json={"name": name}, headers=headers)
        case "restore":
            return await api.post(f"/flows/{flow}/restore", headers=headers)
        case "delete":
            return await api.delete(f"/flows/{flow}", headers=headers)
        case "save":
            return await api.put(f"/flows/{flow}", json={"name": name, "content": content}, headers=headers)
        case "describe":
            return await api.put(f"/flows/{flow}", json={"description": name}, headers=headers)
    return await api.put(f"/flows/{flow}", json={"name": name}, headers=headers)


@pytest.mark.parametrize("seed", range(3))
async def test_they_are_right_after_every_step_of_a_walk(
    api: httpx.AsyncClient, people: People, resources: Resources, echo: Json, seed: int
) -> None:
    draw, bob, dave = random.Random(seed), people.bob.headers, people.dave.headers
    await publish(api, bob, {**echo, "name": "packed"})
    there, gone = {(await create(api, bob, echo))["id"]}, set[str]()
    for name in NAMES:
        await create(api, dave, echo, name=name)
    for _ in range(STEPS):
        what = draw.choice([*ALWAYS, *["delete"] * 3 * (len(there) > 1), *["restore"] * bool(gone)])
        flow = draw.choice(sorted(gone if what == "restore" else there))
        answer = await send(api, bob, what, flow, draw.choice(NAMES), echo)
        assert answer.is_success, answer.text
        if what == "delete":
            there, gone = there - {flow}, gone | {flow}
        elif what == "restore":
            there, gone = there | {flow}, gone - {flow}
        elif what in BORN:
            there.add(answer.json()["id"])
        kept, counted = await kept_and_counted(resources)
        assert kept == counted, what

    alice = people.alice.headers
    assert await total(api, alice) == await total(api, alice, owner="usr_bob") == len(there)
    assert await total(api, alice, deleted="true") == len(gone)
    assert await total(api, people.root.headers) == len(there) + len(NAMES)
    for letter in "anNä漢😀%z_q":
        assert await total(api, alice, search=letter) == counted["tnt_acme", letter.lower().encode()], letter


async def test_a_change_that_fails_changes_no_number(
    api: httpx.AsyncClient, people: People, resources: Resources, echo: Json
) -> None:
    flow = (await create(api, people.bob.headers, echo, name="steady"))["id"]
    before, _ = await kept_and_counted(resources)
    stale = {**people.bob.headers, "If-Match": '"1.0.0-7"'}

    for headers, what in (
        (stale, "rename"),
        (stale, "save"),
        (stale, "delete"),
        (people.bob.headers, "restore"),
    ):
        assert not (await send(api, headers, what, flow, "xyz", echo)).is_success

    assert await kept_and_counted(resources) == (before, before)


async def test_they_are_right_after_many_changes_at_once(
    api: httpx.AsyncClient, people: People, resources: Resources, echo: Json
) -> None:
    """Letters that are new to the tenants, in names that have them in other orders: nobody waits in a circle."""
    alphabet = "abcdefghijklmnop"
    names = cycle([alphabet, alphabet[::-1], alphabet[8:] + "q", "r" + alphabet[:8]])

    async def live(headers: Headers, *, end: bool) -> None:
        made = await send(api, headers, "create", "", next(names), echo)
        assert made.status_code == 201, made.text
        flow = made.json()["id"]
        for what in ["rename", "delete", "restore"] * 3 + ["delete"] * end:
            answer = await send(api, headers, what, flow, next(names), echo)
            assert answer.is_success, answer.text

    people_of_two_tenants = [*[people.bob.headers] * 3, people.dave.headers]
    await asyncio.gather(
        *(live(people_of_two_tenants[number % 4], end=number % 3 == 0) for number in range(24))
    )

    kept, counted = await kept_and_counted(resources)
    assert kept == counted
    assert kept["tnt_acme", b""] + kept["tnt_globex", b""] == 16


async def test_of_changes_of_one_flow_at_once_each_is_counted_once(
    api: httpx.AsyncClient, people: People, resources: Resources, echo: Json
) -> None:
    bob = people.bob.headers
    flow = (await create(api, bob, echo, name="one"))["id"]

    for _ in range(5):
        at_once = [("rename", "two"), ("rename", "three"), *[("delete", ""), ("restore", "")] * 3]
        await asyncio.gather(*(send(api, bob, what, flow, name, echo) for what, name in at_once))
        kept, counted = await kept_and_counted(resources)
        assert kept == counted
