"""Flow documents: one object per version, written once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import orjson
from cachetools import LRUCache

from scaiflow_api.kit.errors import AppError
from scaiflow_api.storage.blobs import BlobStore
from scaiflow_api.storage.errors import BlobExists, BlobNotFound
from scaiflow_api.storage.version_keys import VersionKeys


class VersionTaken(Exception):
    """The version has an object: of a faster writer, or of one that died before its row."""


class StoredVersionMissing(AppError):
    """The row is there and its object is not: the store lost it or is not the one that was written to."""

    status = 503
    error = "version_content_missing"
    template = "The content of version {version} of flow '{flow_id}' is not in the store."
    fix = "Choose another version. The operator may have to restore the store from a backup."


@dataclass
class StoredDocument:
    """A document as it was stored."""

    text: bytes

    @cached_property
    def name(self) -> object:
        """The flow's name at that time; the text is read for it once."""
        return orjson.loads(self.text).get("name")


class FlowVersions:
    """Raises `StoreUnavailable` besides what its methods name.

    Documents are never changed, so those read last are kept in memory, up to `cache_bytes`.
    """

    KEYS: Final = VersionKeys("flows", ".flow.json")

    def __init__(self, blobs: BlobStore, *, cache_bytes: int = 0) -> None:
        self._blobs = blobs
        self._recent: LRUCache[str, StoredDocument] = LRUCache(
            cache_bytes, getsizeof=lambda document: len(document.text)
        )

    async def write(self, tenant_id: str, flow_id: str, version: str, document: bytes) -> None:
        """Store the document. Raises `VersionTaken`, also for equal bytes."""
        try:
            await self._blobs.put(self.KEYS.of(tenant_id, flow_id, version), document, if_absent=True)
        except BlobExists:
            raise VersionTaken from None

    async def numbers(self, tenant_id: str, flow_id: str) -> frozenset[str]:
        """Return the versions that have an object, whether or not a row names them."""
        written = self._blobs.keys(self.KEYS.before(tenant_id, flow_id))
        listed = [self.KEYS.place_of(blob.key) async for blob in written]
        return frozenset(place[2] for place in listed if place is not None)

    async def discard(self, tenant_id: str, flow_id: str, version: str) -> None:
        """Remove a document that the caller wrote itself and that no row names, nor ever will."""
        await self._blobs.delete(self.KEYS.of(tenant_id, flow_id, version))

    async def read(self, tenant_id: str, flow_id: str, version: str) -> StoredDocument:
        """Return what was stored. Raises `StoredVersionMissing`."""
        key = self.KEYS.of(tenant_id, flow_id, version)
        document = self._recent.get(key)
        if document is None:
            try:
                document = StoredDocument(await self._blobs.get(key))
            except BlobNotFound:
                raise StoredVersionMissing(flow_id=flow_id, version=version) from None
            if len(document.text) <= self._recent.maxsize:
                self._recent[key] = document
        return document
