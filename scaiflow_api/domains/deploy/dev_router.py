"""`POST /v1/dev/deploy`, deprecated: deploys a document that it is sent, for anybody with the shared token.

Off unless `SCAIFLOW_API_TOKEN` is set. Nothing is kept here: no flow, no row, no turn to wait for.
"""

import asyncio
import hmac
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase

from scaiflow_api.auth.errors import InvalidToken, NotAuthenticated
from scaiflow_api.compiler import CompileError
from scaiflow_api.domains.deploy.errors import ROLLOUT_FAILURES, DevDeployOff, MissingServiceKey
from scaiflow_api.domains.deploy.release import Release
from scaiflow_api.domains.deploy.rollout import KnownCore, Progress, Rollout, RolloutLimits
from scaiflow_api.domains.deploy.schemas import DevDeployAnswer, DevDeployRequest
from scaiflow_api.domains.flows.errors import DoesNotCompile
from scaiflow_api.flowgraph import FlowTooLarge
from scaiflow_api.kit.metrics import DEPLOYS, timed
from scaiflow_api.web.authentication import bearer_of
from scaiflow_api.web.deps import CredentialsDep, ResourcesDep, authorization_of
from scaiflow_api.web.deps import resources as resources_of
from scaiflow_api.web.errors import documented, response_to

_DEPRECATED_SINCE = "@1779062400"
"""2026-05-18, when the documentation called it deprecated; a date as RFC 9745 writes it."""
_TOLD_AT = '</docs>; rel="deprecation"; type="text/html"'


_FIX = "Send 'Authorization: Bearer <token>' with what the operator set as SCAIFLOW_API_TOKEN: no person's token."


class NoSharedToken(NotAuthenticated):
    fix = _FIX


class NotTheSharedToken(InvalidToken):
    fix = _FIX


class DeprecatedRoute(APIRoute):
    """Says with every answer, errors too, that the address is deprecated."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        handle = super().get_route_handler()

        async def handle_marked(request: Request) -> Response:
            try:
                response: Response = await handle(request)
            except Exception as error:
                expected = await response_to(request, error)
                if expected is None:
                    raise
                response = expected
            response.headers["Deprecation"] = _DEPRECATED_SINCE
            response.headers["Link"] = _TOLD_AT
            return response

        return handle_marked


router = APIRouter(prefix="/dev", tags=["deploy"], route_class=DeprecatedRoute)


class _SharedToken(SecurityBase):
    """Lets only the bearer of the shared token through, and is itself the scheme that OpenAPI tells of."""

    model = HTTPBearerModel(description="What the operator set as SCAIFLOW_API_TOKEN; no person's token.")
    scheme_name = "SharedToken"

    async def __call__(self, request: Request) -> None:
        """Raises DevDeployOff, NoSharedToken, NotTheSharedToken."""
        expected = (await resources_of(request)).settings.api.dev_token
        if expected is None or not expected.get_secret_value():
            raise DevDeployOff
        try:
            given = bearer_of(authorization_of(request))
        except NotAuthenticated:
            raise NoSharedToken from None
        if not hmac.compare_digest(given.encode(), expected.get_secret_value().encode()):
            raise NotTheSharedToken("it is not the shared one that this address takes")


@router.post(
    "/deploy",
    response_model=DevDeployAnswer,
    deprecated=True,
    dependencies=[Depends(_SharedToken())],
    responses=documented(
        DevDeployOff,
        NoSharedToken,
        NotTheSharedToken,
        DoesNotCompile,
        FlowTooLarge,
        MissingServiceKey,
        *ROLLOUT_FAILURES,
    ),
)
async def deploy_content(
    body: DevDeployRequest, resources: ResourcesDep, credentials: CredentialsDep
) -> DevDeployAnswer:
    """Compile a document and run it in ScaiGrid with the key of the environment. It needs the shared token."""
    access = credentials.of_nobody()
    if access is None:
        raise MissingServiceKey
    with timed(DEPLOYS):
        try:
            release = await asyncio.to_thread(
                Release.of, body.content, publish_as_model=body.publish_as_model, limits=resources.limits
            )
        except CompileError as failure:
            raise DoesNotCompile(diagnostics=[found.as_dict() for found in failure.diagnostics]) from None
        rollout = Rollout(access, release, RolloutLimits.of(resources.settings.scaigrid))
        # Without a history only ScaiGrid can tell whether the document has a Core.
        live = await rollout.run(KnownCore(may_exist=release.flow_id is not None), Progress())
    return DevDeployAnswer(core_id=live.core.id, published_slug=live.core.published_slug)
