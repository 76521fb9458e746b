"""What is the same for every caller for as long as the process lives: made once, on the first request."""

import hashlib
from dataclasses import dataclass
from functools import cache

import orjson

from scaiflow_api.compiler.palette import palette
from scaiflow_api.domains.schema.schemas import NodeKindItem
from scaiflow_api.flowgraph.schema import schema_text


@dataclass(frozen=True, slots=True)
class Published:
    """A text and its ETag, quotes included."""

    body: bytes
    etag: str

    @classmethod
    def of(cls, body: bytes) -> "Published":
        return cls(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


@cache
def flow_schema() -> Published:
    """Return the JSON Schema of flow documents."""
    return Published.of(schema_text())


@cache
def node_kinds() -> Published:
    """Return the palette as JSON."""
    items = [NodeKindItem.model_validate(entry).model_dump() for entry in palette()]
    return Published.of(orjson.dumps(items))
