"""Whatever fails at whichever step: what was acknowledged is there, nothing is there by half, and trying again works.

The process that works on the request meets the fault; a second one, on the same database, store and ScaiGrid, is
well. It looks at what is left, and does the same again.
"""

import asyncio
from collections.abc import Iterator
from itertools import count

import httpx
import pytest
from operations import OPERATIONS, Operation, Subject, World
from people import People
from sqlalchemy import update
from steps import Crash, Fault, Steps

from scaiflow_api.db.models.lease import Lease
from scaiflow_api.storage import FlowVersions

UNAVAILABLE = {502, 503, 504}
ALWAYS = {"create", "save", "delete", "publish"}
"""The others take long or go much of the same ways: they run with the tests of services."""


async def attempt(
    client: httpx.AsyncClient, operation: Operation, subject: Subject, people: People
) -> httpx.Response | None:
    """Return the answer; None: the process died before it gave one."""
    try:
        return await operation.send(client, subject, people)
    except Crash:
        return None


async def time_passes(world: World) -> None:
    """Let the leases of a dead process run out."""
    async with world.resources.db.write() as session:
        await session.execute(update(Lease).values(expires_ms=0))


@pytest.mark.parametrize(
    "name",
    [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.services) for name in OPERATIONS],
)
async def test_nothing_is_lost_or_half_done_and_a_retry_converges(
    world: World, faulty: httpx.AsyncClient, steps: Steps, name: str
) -> None:
    operation = OPERATIONS[name]
    subject = await world.prepare("m0", operation.needs)
    before = await world.look(subject)
    assert (await operation.send(world.api, subject, world.people)).is_success
    after = await world.look(subject)
    await faulty.get("/me", headers=getattr(world.people, operation.by).headers)

    for fault, at in every_step(steps):
        subject = await world.prepare(f"m{at}{fault.value[0]}", operation.needs)
        steps.arm(at, fault)
        answer = await attempt(faulty, operation, subject, world.people)
        where = fault.value, *steps.taken[at - 1 : at]
        steps.recover()
        seen = await world.look(subject)

        if answer is not None and answer.is_success:
            assert seen == after, where
        else:
            assert answer is None or answer.status_code in UNAVAILABLE, (where, answer.text)
            assert seen.kept in (before.kept, after.kept), where
        await time_passes(world)
        again = await operation.send(world.api, subject, world.people)
        assert again.is_success or again.json()["detail"]["error"] in operation.repeated, (where, again.text)
        assert (await world.look(subject)).essence == after.essence, where


def every_step(steps: Steps) -> Iterator[tuple[Fault, int]]:
    """Yield each fault at each step, until what was done with it took fewer steps."""
    for fault in (Fault.REFUSED, Fault.LOST, Fault.OUTAGE, Fault.CRASH):
        for at in count(1):
            yield fault, at
            if len(steps.taken) < at:
                break
        assert at > 2, "the operation has no steps"


async def test_many_orphans_are_passed_over_at_once(world: World) -> None:
    """A database that takes no row for long, beside a store that is well, leaves one for every attempt."""
    subject = await world.prepare("m0", frozenset())
    for patch in range(1, 201):
        orphan = FlowVersions.KEYS.of("tnt_acme", subject.flow, f"1.0.{patch}")
        await world.resources.blobs.put(orphan, b"left behind")

    async with asyncio.timeout(20):
        saved = await OPERATIONS["save"].send(world.api, subject, world.people)

    assert saved.json()["version"] == "1.0.201"
