"""From a log of updates to the flow, whatever clients wrote into it."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pycrdt import Doc

from scaiflow_api.domains.sync.document.safety import is_safe
from scaiflow_api.domains.sync.document.shape import (
    JSON,
)
from scaiflow_api.domains.sync.document.tree_reader import Reader, shared_root
from scaiflow_api.flowgraph.problems import Problem


@dataclass(frozen=True, slots=True)
class SharedFlow:
    """What a shared document says, and what of it could not be read."""

    document: dict[str, JSON]
    """Without what only the server writes: `id`, `name` and `version`. It may be no valid flow."""
    problems: list[Problem]


def open_log(updates: Iterable[bytes], *, client_id: int | None = None) -> "Doc[Any]":
    """Return the document that a log of updates makes, to be written under a client id.

    What cannot be read, or not safely, is left out.
    """
    doc: Doc[Any] = Doc(client_id=client_id)
    good: list[bytes] = []
    for update in updates:
        if not is_safe(update):
            continue
        try:
            doc.apply_update(update)
        except ValueError:
            continue
        except RuntimeError:
            doc = open_log(good, client_id=client_id)  # half of it may be in
            continue
        good.append(update)
    return doc


def to_flow(doc: "Doc[Any]") -> dict[str, JSON]:
    """Return the flow as the document has it, without `id`, `name` and `version`. Never raises.

    What is no JSON became null; all else is for validation to judge. No two entries of a list share a name.
    """
    return read_flow(doc).document


def read_flow(doc: "Doc[Any]", *, max_entries: int = sys.maxsize) -> SharedFlow:
    """Return the flow as `to_flow` does, with what could not be read as it was written.

    Raises TooMuch for a document with more than `max_entries` keys and entries.
    """
    reader = Reader(max_entries)
    document = reader.document(reader.tree(shared_root(doc)))
    return SharedFlow(document, reader.problems)
