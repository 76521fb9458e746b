"""Packages of the catalog: one object per version, written once."""

from typing import Final

from scaiflow_api.kit.errors import AppError
from scaiflow_api.storage.blobs import BlobStore
from scaiflow_api.storage.errors import BlobExists, BlobNotFound
from scaiflow_api.storage.flow_versions import VersionTaken
from scaiflow_api.storage.version_keys import VersionKeys


class StoredPackageMissing(AppError):
    """The row is there and its object is not: the store lost it or is not the one that was written to."""

    status = 503
    error = "package_content_missing"
    template = "The file of version {version} of package '{package_id}' is not in the store."
    fix = "Choose another version. The operator may have to restore the store from a backup."


class PackageFiles:
    """Raises `StoreUnavailable` besides what its methods name."""

    KEYS: Final = VersionKeys("catalog", ".scaipkg")

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    async def write(self, tenant_id: str, package_id: str, version: str, package: bytes) -> None:
        """Store the package. Raises `VersionTaken`, also for equal bytes."""
        try:
            await self._blobs.put(self.KEYS.of(tenant_id, package_id, version), package, if_absent=True)
        except BlobExists:
            raise VersionTaken from None

    async def read(self, tenant_id: str, package_id: str, version: str) -> bytes:
        """Return the stored bytes. Raises `StoredPackageMissing`."""
        try:
            return await self._blobs.get(self.KEYS.of(tenant_id, package_id, version))
        except BlobNotFound:
            raise StoredPackageMissing(package_id=package_id, version=version) from None

    async def versions(self, tenant_id: str, package_id: str) -> frozenset[str]:
        """Return the versions that have an object, whether or not a row names them."""
        written = self._blobs.keys(self.KEYS.before(tenant_id, package_id))
        listed = [self.KEYS.place_of(blob.key) async for blob in written]
        return frozenset(place[2] for place in listed if place is not None)
