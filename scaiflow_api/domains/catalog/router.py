"""`/v1/catalog`: list, publish, read, download, install, change and delete packages."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Depends, Query, Request, Response

from scaiflow_api.auth.acl import Level
from scaiflow_api.db.models.catalog import CatalogPackage
from scaiflow_api.domains.catalog.errors import (
    InvalidPackage,
    LiteralSecret,
    NotPackageAuthor,
    PackageDamaged,
    PackageNotFound,
    PackageVersionNotFound,
    PublishContention,
)
from scaiflow_api.domains.catalog.publishing import PublishPackage
from scaiflow_api.domains.catalog.repository import CatalogEntry, Position
from scaiflow_api.domains.catalog.schemas import (
    CatalogDetail,
    CatalogItem,
    CatalogVersionItem,
    InstalledContent,
    InstallRequest,
    PackageUpdate,
    PublishRequest,
)
from scaiflow_api.domains.catalog.service import CatalogService
from scaiflow_api.domains.flows.answers import flow_detail
from scaiflow_api.domains.flows.deps import FlowServiceDep, FlowWriterDep
from scaiflow_api.domains.flows.errors import (
    DOCUMENT_FAILURES,
    DoesNotCompile,
    FlowNotFound,
    ForeignTenant,
    InsufficientAcl,
    InvalidCursor,
    InvalidFlow,
)
from scaiflow_api.domains.flows.schemas import FlowCreate, FlowDetail
from scaiflow_api.domains.preview.schemas import EXAMPLE_FLOW
from scaiflow_api.flowgraph import FlowTooLarge
from scaiflow_api.kit.ids import new_id
from scaiflow_api.kit.paging import decode_cursor, decode_moment, encode_cursor
from scaiflow_api.storage import PackageFiles, StoredPackageMissing, StoreUnavailable
from scaiflow_api.web.deps import Limit, Manager, ResourcesDep, Viewer
from scaiflow_api.web.errors import documented
from scaiflow_api.web.etag import TAGGED
from scaiflow_api.web.idempotency import IdempotentRoute
from scaiflow_api.web.links import LINKED, link_next

router = APIRouter(prefix="/catalog", tags=["catalog"], route_class=IdempotentRoute)

MEDIA_TYPE = "application/zip"


async def catalog_service(resources: ResourcesDep) -> CatalogService:
    return CatalogService(resources.db, PackageFiles(resources.blobs), resources.limits, resources.clock)


async def publisher(resources: ResourcesDep, flows: FlowServiceDep) -> PublishPackage:
    files = PackageFiles(resources.blobs)
    return PublishPackage(resources.db, files, flows, resources.limits, resources.clock, resources.saves)


CatalogDep = Annotated[CatalogService, Depends(catalog_service)]
TenantId = Annotated[
    str | None, Query(max_length=128, description="another tenant than your own; for super admins")
]
VersionQuery = Annotated[
    str | None, Query(max_length=64, description="an older version than the one published last")
]

_READ = (
    PackageNotFound,
    PackageVersionNotFound,
    PackageDamaged,
    StoredPackageMissing,
    StoreUnavailable,
)
_PUBLISH: dict[str, Any] = {
    "flow": {"summary": "A flow", "value": PublishRequest.example},
    "content": {
        "summary": "A document, for one group",
        "value": {
            "package_id": "echo-agent",
            "version": "0.1.0",
            "content": EXAMPLE_FLOW,
            "visibility": "groups",
            "visibility_group_ids": ["grp_eng"],
        },
    },
}


@router.get(
    "",
    response_model=list[CatalogItem],
    response_description="the packages, newest change first",
    responses={200: LINKED, **documented(InvalidCursor)},
)
async def list_packages(
    request: Request,
    response: Response,
    caller: Viewer,
    catalog: CatalogDep,
    limit: Limit = 500,
    cursor: Annotated[
        str | None, Query(max_length=1024, description="from the `Link` of a page before")
    ] = None,
) -> list[CatalogItem]:
    """List the packages that you may see, newest change first. The header `Link` names a next page, if any."""
    after = _position(cursor) if cursor is not None else None
    entries, end = await catalog.page(caller, after=after, size=limit)
    if end is not None:
        position = encode_cursor(end.updated_at.isoformat(), end.row_id)
        link_next(request, response, limit=limit, cursor=position)
    return [_item(entry) for entry in entries]


@router.post(
    "/publish",
    status_code=201,
    response_model=CatalogItem,
    responses=documented(
        DoesNotCompile,
        LiteralSecret,
        NotPackageAuthor,
        InsufficientAcl,
        ForeignTenant,
        FlowNotFound,
        FlowTooLarge,
        InvalidPackage,
        PublishContention,
        *DOCUMENT_FAILURES,
    ),
)
async def publish_package(
    body: Annotated[PublishRequest, Body(openapi_examples=_PUBLISH)],
    caller: Manager,
    publish: Annotated[PublishPackage, Depends(publisher)],
) -> CatalogItem:
    """Publish a flow, which needs `deploy` on it, or a document. Only the author may publish further versions."""
    return _item(await publish.publish(caller, body))


@router.get("/{package_id}", response_model=CatalogDetail, responses=documented(*_READ, FlowTooLarge))
async def read_package(
    package_id: str, caller: Viewer, catalog: CatalogDep, tenant_id: TenantId = None
) -> CatalogDetail:
    """Read a package: the README of its last version, and its versions."""
    entry = await catalog.open(caller, package_id, Level.VIEW, tenant_id=tenant_id)
    rows = await catalog.versions(entry.package)
    latest, content = await catalog.content(entry.package)
    versions = [
        CatalogVersionItem(
            version=row.version,
            is_latest=row.version == latest,
            author_id=row.author_id,
            sha256=row.sha256,
            size=row.size,
            created_at=row.created_at,
        )
        for row in rows
    ]
    return CatalogDetail(**_item(entry).model_dump(), readme=content.readme, versions=versions)


@router.patch(
    "/{package_id}", response_model=CatalogItem, responses=documented(PackageNotFound, NotPackageAuthor)
)
async def update_package(
    package_id: str, body: PackageUpdate, caller: Manager, catalog: CatalogDep, tenant_id: TenantId = None
) -> CatalogItem:
    """Change what the package is called and whom it is shown to. For its author and administrators."""
    entry = await catalog.open(caller, package_id, Level.ADMIN, tenant_id=tenant_id)
    return _item(await catalog.update(caller, entry.package, body))


@router.delete("/{package_id}", status_code=204, responses=documented(PackageNotFound, NotPackageAuthor))
async def delete_package(
    package_id: str, caller: Manager, catalog: CatalogDep, tenant_id: TenantId = None
) -> None:
    """Delete the package with all its versions. Flows made of it stay. For its author and administrators."""
    entry = await catalog.open(caller, package_id, Level.ADMIN, tenant_id=tenant_id)
    await catalog.delete(caller, entry.package)


@router.get(
    "/{package_id}/download",
    response_class=Response,
    responses={
        200: {
            "description": "the `.scaipkg`, a zip; its name is in `Content-Disposition`",
            "content": {MEDIA_TYPE: {}},
        },
        **documented(*_READ),
    },
)
async def download_package(
    package_id: str,
    caller: Viewer,
    catalog: CatalogDep,
    version: VersionQuery = None,
    tenant_id: TenantId = None,
) -> Response:
    """Download a version as it was published."""
    entry = await catalog.open(caller, package_id, Level.VIEW, tenant_id=tenant_id)
    version, data = await catalog.file(entry.package, version)
    headers = {"Content-Disposition": f'attachment; filename="{package_id}-{version}.scaipkg"'}
    return Response(data, headers=headers, media_type=MEDIA_TYPE)


@router.post(
    "/{package_id}/install",
    response_model=InstalledContent,
    responses={
        201: {"model": FlowDetail, "description": "the flow that was created", **TAGGED},
        **documented(*_READ, FlowTooLarge, InvalidFlow),
    },
)
async def install_package(
    package_id: str,
    caller: Manager,
    catalog: CatalogDep,
    writer: FlowWriterDep,
    body: Annotated[InstallRequest | None, Body()] = None,
    tenant_id: TenantId = None,
) -> Response:
    """Get a copy of the flow, under an id of its own. With `save` it is created, as by `POST /v1/flows`."""
    wanted = body or InstallRequest()
    entry = await catalog.open(caller, package_id, Level.VIEW, tenant_id=tenant_id)
    version, package = await catalog.content(entry.package, wanted.version)
    if wanted.save:
        message = f"Installed from the catalog: {package_id} {version}"
        new = FlowCreate(content=package.document, message=message)
        origin = {"package_id": package_id, "package_version": version}
        return flow_detail(*await writer.create(caller, new, origin), status=201)
    content = {**package.document, "id": new_id("flow")}
    return Response(orjson.dumps({"content": content}), media_type="application/json")


def _item(entry: CatalogEntry) -> CatalogItem:
    package: CatalogPackage = entry.package
    return CatalogItem(
        package_id=package.package_id,
        tenant_id=package.tenant_id,
        name=package.name,
        description=package.description,
        version=package.version,
        author_id=package.author_id,
        author_email=entry.author_email,
        visibility=package.visibility,
        visibility_group_ids=entry.group_ids,
        created_at=package.created_at,
        updated_at=package.updated_at,
    )


def _position(cursor: str) -> Position:
    parts = decode_cursor(cursor, 2)
    moment = decode_moment(parts[0]) if parts else None
    if parts is None or moment is None:
        raise InvalidCursor
    return Position(moment, parts[1])
