"""Writing trees into a shared document."""

from collections.abc import Mapping
from typing import Any

from pycrdt import Doc, Map

from scaiflow_api.domains.sync.document.encoding import encode_object
from scaiflow_api.domains.sync.document.epochs import epoch_client_id
from scaiflow_api.domains.sync.document.shape import DOCUMENT, JSON, Tree, shared_part
from scaiflow_api.domains.sync.document.tree_reader import shared_root


def seed(content: Mapping[str, JSON], epoch: str) -> bytes:
    """Return the first update (Yjs, format 1) of an epoch: a version, laid out as docs/coediting-document.md says.

    Made of equal content and the same epoch it has the same bytes, whatever the order of keys. The keys that only
    the server writes are left out.
    """
    doc: Doc[Any] = Doc(client_id=epoch_client_id(epoch))
    root = shared_root(doc)
    with doc.transaction():
        for key, tree in encode_object(shared_part(content), DOCUMENT).items():
            write(root, key, tree)
    return doc.get_update()


def write(target: "Map[Any]", key: str, tree: Tree) -> None:
    """Put a tree under a key, in the place of what is there."""
    if not isinstance(tree, dict):
        target[key] = _value(tree)
        return
    target[key] = Map()  # filled when it is in: a map of the library's takes a kilobyte before
    inner = target[key]
    for name, item in tree.items():
        write(inner, name, item)


def _value(value: JSON) -> JSON:
    """Return a value whose numbers are all written alike: JavaScript knows only floats."""
    if isinstance(value, list):
        return [_value(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
