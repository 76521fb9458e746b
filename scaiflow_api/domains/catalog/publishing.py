"""Publishing: the file first, under a key that is never written twice; then the rows, in one transaction.

A crash between the two leaves an object that nothing points at; the next publisher takes the number after it. A
publisher that was held up for minutes between the two gives up: by then `scaiflow gc` may take the object for an
orphan. The conditional put decides who gets a number, so two that publish the same version end with two versions.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError

from scaiflow_api.auth.acl import Level
from scaiflow_api.auth.caller import Caller
from scaiflow_api.compiler import CompileError
from scaiflow_api.compiler.knowledge.secret_patterns import looks_like_secret
from scaiflow_api.compiler.package import FIRST_VERSION, PackageInfo, PackageRefused, build_package
from scaiflow_api.db.audit import record
from scaiflow_api.db.models.catalog import CatalogPackage, CatalogVersion
from scaiflow_api.db.session import Database
from scaiflow_api.domains.catalog.audited import package_entry
from scaiflow_api.domains.catalog.errors import (
    InvalidPackage,
    LiteralSecret,
    NotPackageAuthor,
    PublishContention,
)
from scaiflow_api.domains.catalog.repository import CatalogEntry, CatalogRepository
from scaiflow_api.domains.catalog.schemas import PublishRequest
from scaiflow_api.domains.catalog.service import held_on
from scaiflow_api.domains.flows.errors import DoesNotCompile
from scaiflow_api.domains.flows.saving import UNTITLED
from scaiflow_api.domains.flows.service import FlowService
from scaiflow_api.flowgraph import Limits
from scaiflow_api.kit.clock import Clock
from scaiflow_api.kit.ids import new_id
from scaiflow_api.kit.turns import TurnNotHad, Turns
from scaiflow_api.storage import PackageFiles, VersionTaken, require_prompt

_GIVE_UP_AFTER_S = 20.0
"""Waiting for those before it included."""
_ATTEMPTS = 5
_PATCH = re.compile(r"(\d+\.\d+\.)(\d+)(.*)", re.ASCII | re.DOTALL)
_MAX_SECRETS = 100
_SHOWN = {"name", "description", "visibility"}


@dataclass(frozen=True, slots=True)
class _Stored:
    """A file that is in the store and that no row names yet."""

    info: PackageInfo
    sha256: str
    size: int
    began: datetime
    """Before it was put."""


class PublishPackage:
    """Makes a package of a flow and puts it in the catalog of the caller's tenant."""

    def __init__(
        self,
        db: Database,
        files: PackageFiles,
        flows: FlowService,
        limits: Limits,
        clock: Clock,
        turns: Turns,
    ) -> None:
        self._db = db
        self._files = files
        self._flows = flows
        self._limits = limits
        self._clock = clock
        self._turns = turns

    async def publish(self, caller: Caller, wanted: PublishRequest) -> CatalogEntry:
        """Publish a version; return the package with it as its last.

        Raises what `FlowService.open` and `document` do, NotPackageAuthor, DoesNotCompile, LiteralSecret,
        InvalidPackage, FlowTooLarge, PublishContention, or the store's error. Then nothing new can be seen.
        """
        document = await self._document(caller, wanted)
        give_up = time.monotonic() + _GIVE_UP_AFTER_S
        try:
            async with self._turns.of(f"catalog/{caller.tenant_id}/{wanted.package_id}", until=give_up):
                seen, taken = await self._look(caller, wanted.package_id)
                stored = await self._store(caller, wanted, document, seen, taken, give_up)
                for _ in range(_ATTEMPTS):
                    entry = await self._record(caller, wanted, stored, seen)
                    if entry is not None:
                        return entry
                    seen, _ = await self._look(caller, wanted.package_id)
        except TurnNotHad:
            pass
        raise PublishContention

    async def _document(self, caller: Caller, wanted: PublishRequest) -> dict[str, Any]:
        if wanted.content is not None:
            return wanted.content
        assert wanted.flow_id is not None, "the request has one of the two"
        flow = await self._flows.open(caller, wanted.flow_id, Level.DEPLOY, own_tenant=True)
        return await self._flows.document(flow)

    async def _look(self, caller: Caller, package_id: str) -> tuple[CatalogEntry | None, frozenset[str]]:
        """Return the package, if there is one, and its versions. Raises NotPackageAuthor."""
        async with self._db.read() as session:
            catalog = CatalogRepository(session)
            seen = await catalog.find(caller.tenant_id, package_id, caller)
            versions = await catalog.versions(seen.package) if seen is not None else ()
        if seen is not None and held_on(caller, seen) is not Level.ADMIN:
            raise NotPackageAuthor(package_id=package_id)
        return seen, frozenset(row.version for row in versions)

    async def _store(
        self,
        caller: Caller,
        wanted: PublishRequest,
        document: dict[str, Any],
        seen: CatalogEntry | None,
        taken: Collection[str],
        give_up: float,
    ) -> _Stored:
        """Put the package under the first version from the wanted one on that nothing has."""
        version = wanted.version or (_next_patch(seen.package.version) if seen is not None else FIRST_VERSION)
        while time.monotonic() < give_up:
            version = _first_free(version, taken)
            info = _info(wanted, document, seen, version)
            # Compiling a large flow takes a second; the others should not wait for it.
            data = await asyncio.to_thread(_build, document, info, wanted.readme or None, self._limits)
            began = self._clock.now()
            try:
                await self._files.write(caller.tenant_id, wanted.package_id, version, data)
            except VersionTaken:
                taken = {version, *taken, *await self._files.versions(caller.tenant_id, wanted.package_id)}
            else:
                return _Stored(info, hashlib.sha256(data).hexdigest(), len(data), began)
        raise PublishContention

    async def _record(
        self, caller: Caller, wanted: PublishRequest, stored: _Stored, seen: CatalogEntry | None
    ) -> CatalogEntry | None:
        """Write the rows; None: the package came or went since it was `seen`."""
        info = stored.info
        try:
            async with self._db.write() as session:
                catalog = CatalogRepository(session)
                row = await catalog.lock(seen.package) if seen is not None else _new(caller, info)
                if row is None:
                    return None
                before = await catalog.sha256_of(row, row.version) if seen is not None else None
                now = self._clock.now()  # after the lock, so that the last version has the latest time
                row.version, row.updated_at = info.version, now
                if seen is None:
                    row.created_at = now
                    await catalog.add(row)
                # What is not said may have been changed since it was seen.
                for field, value in wanted.model_dump(include=_SHOWN, exclude_none=True).items():
                    setattr(row, field, value)
                if wanted.visibility_group_ids is not None:
                    await catalog.show_to(row, wanted.visibility_group_ids)
                await catalog.add(
                    CatalogVersion(
                        catalog_package_id=row.id,
                        version=info.version,
                        author_id=caller.subject,
                        sha256=stored.sha256,
                        size=stored.size,
                        created_at=now,
                    )
                )
                entry = await catalog.find(row.tenant_id, row.package_id, caller)
                told = package_entry(
                    row,
                    "package.published",
                    before=before,
                    after=stored.sha256,
                    flow_id=wanted.flow_id,
                    details={"version": info.version},
                )
                await record(session, caller, told, now)
                require_prompt(stored.began, self._clock.now())
                return entry
        except IntegrityError:
            return None


def _new(caller: Caller, info: PackageInfo) -> CatalogPackage:
    return CatalogPackage(
        id=new_id("pkg"),
        tenant_id=caller.tenant_id,
        package_id=info.package_id,
        name=info.name,
        description=info.description,
        author_id=caller.subject,
        visibility="tenant",
    )


def _info(
    wanted: PublishRequest, document: dict[str, Any], seen: CatalogEntry | None, version: str
) -> PackageInfo:
    if seen is not None:
        name, description = seen.package.name, seen.package.description
    else:
        named = document.get("name")
        name, description = (named.strip()[:200] if isinstance(named, str) else "") or UNTITLED, ""
    return PackageInfo(
        package_id=wanted.package_id,
        name=name if wanted.name is None else wanted.name,
        version=version,
        description=description if wanted.description is None else wanted.description,
    )


def _build(document: dict[str, Any], info: PackageInfo, readme: str | None, limits: Limits) -> bytes:
    texts = (("name", info.name), ("description", info.description), ("readme", readme or ""))
    secrets: list[tuple[str, str | None]] = [
        (field, None) for field, text in texts if looks_like_secret(text)
    ]
    try:
        data = build_package(document, info, readme=readme, limits=limits)
    except CompileError as error:
        raise DoesNotCompile(diagnostics=[item.as_dict() for item in error.diagnostics]) from error
    except PackageRefused as refusal:
        if not refusal.secrets:
            raise InvalidPackage(message=f"This cannot be published: {refusal}.") from refusal
        secrets += refusal.secrets
    if secrets:
        raise _literal_secret(secrets)
    return data


def _literal_secret(found: list[tuple[str, str | None]]) -> LiteralSecret:
    # A node may be named by a secret itself.
    places = [
        {"path": path, "node_id": None if node_id is None or looks_like_secret(node_id) else node_id}
        for path, node_id in found[:_MAX_SECRETS]
    ]
    path, node_id = places[0]["path"], places[0]["node_id"]
    return LiteralSecret(secrets=places, first=path if node_id is None else f"node '{node_id}', {path}")


def _first_free(version: str, taken: Collection[str]) -> str:
    while version in taken:
        version = _next_patch(version)
    return version


def _next_patch(version: str) -> str:
    """Return the version with its patch raised; what marks a pre-release or a build stays."""
    found = _PATCH.fullmatch(version)
    assert found is not None, "versions are semantic"
    return f"{found[1]}{int(found[2]) + 1}{found[3]}"
