"""`/v1/secrets/{path}`: read one version, write the next one, delete."""

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from scaiflow_api.kit.canonical_json import canonical_json
from scaiflow_api.localgrid.grid import GridDep
from scaiflow_api.localgrid.scaikey.directory import moment
from scaiflow_api.localgrid.scaivault.auth import Deletes, Reads, Writes
from scaiflow_api.localgrid.scaivault.errors import VaultError
from scaiflow_api.localgrid.scaivault.secret_table import InRecovery, NewVersion, SecretTable
from scaiflow_api.localgrid.store import LARGEST_INTEGER

router = APIRouter(prefix="/secrets")

_LEGAL = re.compile(r"[a-z0-9_-]+(?:/[a-z0-9_-]+){0,9}", re.ASCII)
_LONGEST_PATH = 512


def _readable(value: dict[str, Any]) -> dict[str, Any]:
    try:
        canonical_json(value)
    except ValueError:  # its text may quote what is secret
        raise ValueError(
            "NaN, half of a surrogate pair, or nested too deeply: no JSON reader takes that"
        ) from None
    return value


JsonObject = Annotated[dict[str, Any], AfterValidator(_readable)]


class Options(BaseModel):
    """How a secret is kept."""

    model_config = ConfigDict(extra="forbid", strict=True)

    max_versions: Annotated[int, Field(ge=1, le=100)] = 10
    """Older versions are dropped."""


class SecretWrite(BaseModel):
    """The next version of a secret."""

    model_config = ConfigDict(extra="forbid", strict=True)

    data: JsonObject
    secret_type: Literal["kv", "json", "certificate", "ssh_key", "api_key"] = "kv"  # noqa: S105 - a kind, no secret
    metadata: JsonObject = Field(default_factory=dict)
    options: Options = Field(default_factory=Options)


async def _legal(path: str) -> str:
    if len(path) > _LONGEST_PATH or _LEGAL.fullmatch(path) is None:
        raise VaultError(
            400,
            "invalid_path",
            "A path has 1 to 10 parts of a-z, 0-9, - and _, with a slash between them, and 512 characters at most.",
        )
    return path


LegalPath = Annotated[str, Depends(_legal)]


@router.get("/{path:path}")
async def read_secret(
    place: Reads,
    path: LegalPath,
    grid: GridDep,
    version: Annotated[int | None, Query(ge=1, le=LARGEST_INTEGER)] = None,
) -> dict[str, Any]:
    """Return a version, the newest where none is named."""
    table = SecretTable(grid.store)
    found = await table.find(place, path, version)
    if found is not None:
        return found.as_dict() | {"data": found.data}
    if version is not None and await table.find(place, path, None):
        raise VaultError(404, "version_not_found", "The secret has no such version.")
    raise _not_found()


@router.put("/{path:path}")
async def write_secret(
    place: Writes, path: LegalPath, body: SecretWrite, grid: GridDep, response: Response
) -> dict[str, Any]:
    """Add a version; 201 for the first one. What is kept is told without the data."""
    new = NewVersion(
        body.secret_type, body.data, body.metadata, moment(grid.clock), body.options.max_versions
    )
    try:
        written = await SecretTable(grid.store).add(place, path, new, grid.now())
    except InRecovery:
        raise VaultError(
            409, "secret_exists", "A deleted secret of this path can still be recovered."
        ) from None
    response.status_code = 201 if written.version == 1 else 200
    return written.as_dict()


@router.delete("/{path:path}", status_code=204)
async def delete_secret(place: Deletes, path: LegalPath, grid: GridDep, permanent: bool = False) -> None:
    """Delete a secret with all its versions. Unless `permanent`, its path stays taken for 30 days."""
    if not await SecretTable(grid.store).delete(place, path, grid.now(), permanent=permanent):
        raise _not_found()


def _not_found() -> VaultError:
    return VaultError(404, "secret_not_found", "There is no such secret.")
