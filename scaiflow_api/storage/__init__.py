"""The object store: write-once bytes under text keys, in files, in S3 or in memory."""

from scaiflow_api.storage.blobs import BlobInfo, BlobStore
from scaiflow_api.storage.errors import BlobExists, BlobNotFound, StoreNotUsable, StoreUnavailable
from scaiflow_api.storage.flow_versions import (
    FlowVersions,
    StoredDocument,
    StoredVersionMissing,
    VersionTaken,
)
from scaiflow_api.storage.open import open_blobs
from scaiflow_api.storage.packages import PackageFiles, StoredPackageMissing
from scaiflow_api.storage.promptness import require_prompt
from scaiflow_api.storage.watched import WatchedBlobs

__all__ = [
    "BlobExists",
    "BlobInfo",
    "BlobNotFound",
    "BlobStore",
    "FlowVersions",
    "PackageFiles",
    "StoreNotUsable",
    "StoreUnavailable",
    "StoredDocument",
    "StoredPackageMissing",
    "StoredVersionMissing",
    "VersionTaken",
    "WatchedBlobs",
    "open_blobs",
    "require_prompt",
]
