"""Packages of the catalog: one object per version, written once."""

import re
from typing import Final

from scaiflow_api.kit.errors import AppError
from scaiflow_api.storage.blobs import BlobStore
from scaiflow_api.storage.errors import BlobExists, BlobNotFound
from scaiflow_api.storage.flow_versions import VersionTaken
from scaiflow_api.storage.keys import escape, segment, unescape

_ENDING: Final = ".scaipkg"
_KEY: Final = re.compile(r"catalog/([^/]+)/([^/]+)/v([^/]+)\.scaipkg")


class StoredPackageMissing(AppError):
    """The row is there and its object is not: the store lost it or is not the one that was written to."""

    status = 503
    error = "package_content_missing"
    template = "The file of version {version} of package '{package_id}' is not in the store."
    fix = "Choose another version. The operator may have to restore the store from a backup."


class PackageFiles:
    """Raises `StoreUnavailable` besides what its methods name."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    @staticmethod
    def key_of(tenant_id: str, package_id: str, version: str) -> str:
        return f"{_prefix(tenant_id, package_id)}{escape(version)}{_ENDING}"

    @staticmethod
    def place_of(key: str) -> tuple[str, str, str] | None:
        """Return tenant, package and version of a key that `key_of` made; None for any other."""
        found = _KEY.fullmatch(key)
        if found is None:
            return None
        place = unescape(found[1]), unescape(found[2]), unescape(found[3])
        return place if PackageFiles.key_of(*place) == key else None

    async def write(self, tenant_id: str, package_id: str, version: str, package: bytes) -> None:
        """Store the package. Raises `VersionTaken`, also for equal bytes."""
        try:
            await self._blobs.put(self.key_of(tenant_id, package_id, version), package, if_absent=True)
        except BlobExists:
            raise VersionTaken from None

    async def read(self, tenant_id: str, package_id: str, version: str) -> bytes:
        """Return the stored bytes. Raises `StoredPackageMissing`."""
        try:
            return await self._blobs.get(self.key_of(tenant_id, package_id, version))
        except BlobNotFound:
            raise StoredPackageMissing(package_id=package_id, version=version) from None

    async def versions(self, tenant_id: str, package_id: str) -> frozenset[str]:
        """Return the versions that have an object, whether or not a row names them."""
        prefix = _prefix(tenant_id, package_id)
        return frozenset(
            [
                unescape(blob.key.removeprefix(prefix).removesuffix(_ENDING))
                async for blob in self._blobs.keys(prefix)
            ]
        )


def _prefix(tenant_id: str, package_id: str) -> str:
    return f"catalog/{segment(tenant_id)}/{segment(package_id)}/v"
