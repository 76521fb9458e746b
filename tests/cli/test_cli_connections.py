"""What the server writes of an answer, and when."""

import asyncio
from typing import cast

from scaiflow_api.cli.sockets import WholeAnswers

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Written:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.pieces.append(data)

    def close(self) -> None:
        self.closed = True


def whole(written: Written) -> WholeAnswers:
    return WholeAnswers(cast("asyncio.Transport", written))


async def test_a_head_goes_with_its_body() -> None:
    transport = whole(written := Written())
    transport.write(HEAD)
    transport.write(b"{}")
    assert written.pieces == [HEAD + b"{}"]
    await asyncio.sleep(0)
    assert written.pieces == [HEAD + b"{}"]


async def test_a_head_whose_body_takes_longer_goes_first() -> None:
    transport = whole(written := Written())
    transport.write(HEAD)
    await asyncio.sleep(0)
    assert written.pieces == [HEAD]
    transport.write(b"data: 1\n\n")
    assert written.pieces == [HEAD, b"data: 1\n\n"]


async def test_a_large_body_goes_by_itself_after_its_head() -> None:
    transport = whole(written := Written())
    body = b"x" * 100_000
    transport.write(HEAD)
    transport.write(body)
    assert written.pieces == [HEAD, body]


async def test_heads_keep_their_order_and_are_sent_before_the_connection_is_closed() -> None:
    transport = whole(written := Written())
    transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    transport.write(HEAD)
    transport.close()
    assert b"".join(written.pieces) == b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD
    assert written.closed
