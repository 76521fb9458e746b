"""A Redis that cannot be used: one error of ours, in bounded time, and one sentence for a bad address."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from presence_contract import ALICE

from scaiflow_api.live import LiveNotUsable, Presence, PresenceUnavailable, open_presence

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def a_server(serve: Serve) -> AsyncIterator[str]:
    """Play a Redis; yields its address."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"redis://{host}:{port}/0"
    finally:
        server.close()


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def talk_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


def refuse(message: str) -> Serve:
    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            writer.write(f"-{message}\r\n".encode() * 8)
            await writer.drain()

    return refusing


async def all_methods(presence: Presence) -> None:
    calls: tuple[Awaitable[Any], ...] = (
        presence.announce("tnt_acme", "flow_1", ALICE),
        presence.peers("tnt_acme", "flow_1"),
        presence.leave("tnt_acme", "flow_1", ALICE.who),
        presence.check(),
    )
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [PresenceUnavailable] * len(calls)


@pytest.mark.parametrize(
    "server",
    [
        say_nothing,
        hang_up,
        talk_nonsense,
        refuse("LOADING Redis is loading the dataset in memory"),
        refuse("OOM command not allowed when used memory > 'maxmemory'."),
        refuse("READONLY You can't write against a read only replica."),
        refuse("NOAUTH Authentication required."),
    ],
    ids=["silent", "hangs up", "no redis", "loading", "full", "read only", "locked"],
)
async def test_whatever_redis_does_the_answer_is_ours_and_comes(server: Serve) -> None:
    async with a_server(server) as url, asyncio.timeout(20):
        presence = open_presence(url)
        await all_methods(presence)
        await presence.close()


async def test_where_nobody_listens_the_answer_is_ours() -> None:
    presence = open_presence("redis://127.0.0.1:1/0")
    await all_methods(presence)
    await presence.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:6379",
        "redis://",
        "redis://host:hunter2",
        "redis://:hunter2@host:6379/first",
        "redis://:hunter2@host?colour=blue",
        "redis://:hunter2@host?socket_timeout=long",
        "redis://[::1",
        "127.0.0.1:6379",
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(LiveNotUsable) as refused:
        open_presence(url)

    assert "SCAIFLOW_REDIS_URL" in str(refused.value)
    assert "hunter2" not in str(refused.value)
