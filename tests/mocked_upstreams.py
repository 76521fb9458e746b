"""Lets respx answer what goes through the clients' transport, as it does for httpx's own."""

from typing import Any, ClassVar

import httpx
import respx.mocks
from respx.mocks import HTTPCoreMocker

from scaiflow_api.upstreams.aiohttp_transport import AiohttpTransport


class EveryTransport(HTTPCoreMocker):
    """Answers at httpcore, where clients of the tests end, and at `AiohttpTransport`."""

    name = "every transport"
    targets: ClassVar[list[str]] = [
        *HTTPCoreMocker.targets,
        f"{AiohttpTransport.__module__}.{AiohttpTransport.__name__}",
    ]

    @classmethod
    async def prepare_async_request(cls, httpx_request: httpx.Request, **given: Any) -> Any:
        if not isinstance(given["request"], httpx.Request):
            return await super().prepare_async_request(httpx_request, **given)
        await httpx_request.aread()
        return httpx_request, given

    @classmethod
    def to_httpx_request(cls, **given: Any) -> httpx.Request:
        request = given["request"]
        return request if isinstance(request, httpx.Request) else super().to_httpx_request(**given)

    @classmethod
    async def from_async_httpx_response(cls, answer: httpx.Response, target: Any, **given: Any) -> Any:
        if isinstance(target, AiohttpTransport):
            # Unread, as from a socket: the mocked answer is closed already, and nobody would close it again.
            return httpx.Response(answer.status_code, headers=answer.headers, stream=answer.stream)
        return await super().from_async_httpx_response(answer, target, **given)


respx.mocks.DEFAULT_MOCKER = EveryTransport.name
