"""`/v1/scaigrid/models`: what the canvas offers in its model picker."""

from typing import Annotated

from fastapi import APIRouter, Depends

from scaiflow_api.domains.lookups.errors import MissingCredentials
from scaiflow_api.domains.lookups.schemas import ModelItem, ModelList
from scaiflow_api.domains.lookups.service import Lookups
from scaiflow_api.upstreams.errors import (
    ScaiGridApi,
    ScaiGridAuth,
    ScaiGridBusy,
    ScaiGridNotConfigured,
    ScaiGridTimeout,
)
from scaiflow_api.web.deps import KEY_FAILURES, CredentialsDep, Viewer
from scaiflow_api.web.errors import documented

router = APIRouter(prefix="/scaigrid", tags=["lookups"])


async def lookups(credentials: CredentialsDep) -> Lookups:
    return Lookups(credentials)


@router.get(
    "/models",
    response_model=ModelList,
    response_model_exclude_none=True,
    responses=documented(
        MissingCredentials,
        ScaiGridAuth,
        ScaiGridApi,
        ScaiGridBusy,
        ScaiGridNotConfigured,
        ScaiGridTimeout,
        *KEY_FAILURES,
    ),
)
async def list_models(caller: Viewer, found: Annotated[Lookups, Depends(lookups)]) -> ModelList:
    """List the models that your tenant may use."""
    return ModelList(data=[ModelItem.model_validate(model) for model in await found.models(caller)])
