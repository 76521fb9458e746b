"""Two things done at once end as if one had been done after the other, wherever the first is overtaken.

One process is held at each of its steps in turn; the other does its work meanwhile, or waits until the first goes
on. Which of the two came first is decided where a row moves (`domains/flows/saving.py`).
"""

import asyncio
from itertools import count, product
from typing import Any

import httpx
import pytest
from operations import OPERATIONS, Operation, Subject, World
from steps import Fault, Steps

WAITS_S = 0.25
"""A rival that has not answered by then waits for a row or a lease of the one that is held."""

FLOWS = [
    *product(
        (
            "save",
            "save if unchanged",
            "rename",
            "delete",
            "delete if unchanged",
            "restore a version",
            "grant",
            "change a grant",
            "revoke a grant",
            "transfer",
            "deploy",
            "delete with its core",
            "publish",
            "duplicate",
        ),
        ("save", "delete", "revoke erin"),
    ),
    *product(("save", "deploy", "delete with its core"), ("rename", "lower erin", "transfer", "deploy")),
    ("rename", "rename"),
    ("transfer", "transfer"),
]
PACKAGES = product(
    ("publish again", "change a package", "delete a package", "install and save"),
    ("publish again", "change a package", "delete a package"),
)
DELETED = product(("restore",), ("restore", "revoke erin"))
"""Nobody may change the grants of a deleted flow."""


async def outcome(
    world: World, subject: Subject, mine: Operation, *answers: httpx.Response
) -> tuple[Any, ...]:
    """Return what both were told, and what there is to see."""
    told = [
        answer.status_code if answer.is_success else answer.json()["detail"]["error"] for answer in answers
    ]
    seen = await world.look(subject)
    return told, seen.kept if mine.in_two else seen


async def one_after_the_other(
    world: World, mark: str, needs: frozenset[str], first: Operation, second: Operation
) -> tuple[Subject, httpx.Response, httpx.Response]:
    subject = await world.prepare(mark, needs)
    return (
        subject,
        await first.send(world.api, subject, world.people),
        await second.send(world.api, subject, world.people),
    )


def within_transaction(steps: Steps, at: int) -> bool:
    """Tell whether a step of what was done last lies between the beginning of a transaction and its end."""
    writing = False
    for what in steps.taken[: at - 1]:
        writing = what == "database begin" or (writing and what != "database commit")
    return writing and at <= len(steps.taken)


PAIRS = [*FLOWS, *PACKAGES, *DELETED]
ALWAYS = {"save", "publish again"}
"""A pair with one of these runs in every suite, the others with the tests of services."""


@pytest.mark.parametrize(
    ("name", "rival_name"),
    [pair if ALWAYS & {*pair} else pytest.param(*pair, marks=pytest.mark.services) for pair in PAIRS],
)
async def test_of_two_rivals_one_is_first(
    world: World,
    faulty: httpx.AsyncClient,
    steps: Steps,
    database_server: str,
    name: str,
    rival_name: str,
) -> None:
    mine, rival = OPERATIONS[name], OPERATIONS[rival_name]
    needs = mine.needs | rival.needs
    subject, first, second = await one_after_the_other(world, "m0", needs, mine, rival)
    mine_first = await outcome(world, subject, mine, first, second)
    subject, second, first = await one_after_the_other(world, "r0", needs, rival, mine)
    rival_first = await outcome(world, subject, mine, first, second)
    assert mine_first[0][0] < 300, "alone it succeeds"
    await faulty.get("/me", headers=getattr(world.people, mine.by).headers)

    for at in count(1):
        if database_server == "sqlite" and within_transaction(steps, at):
            continue  # whoever writes has the whole file to itself
        subject = await world.prepare(f"m{at}", needs)
        steps.arm(at, Fault.HELD)
        running = asyncio.create_task(mine.send(faulty, subject, world.people))
        arrived = asyncio.create_task(steps.arrived.wait())
        await asyncio.wait({running, arrived}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            arrived.cancel()
            break
        other = asyncio.create_task(rival.send(world.api, subject, world.people))
        await asyncio.wait({other}, timeout=WAITS_S)
        overtaken = other.done() and not (mine.decided_early or "database begin" in steps.taken)
        steps.go_on.set()
        found = await outcome(world, subject, mine, await running, await other)
        expected = (rival_first,) if at == 1 or overtaken else (mine_first, rival_first)
        assert found in expected, (at, steps.taken[at - 1])
    assert at > 2, "it has no steps"
