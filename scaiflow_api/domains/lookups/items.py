"""Rows of a list as the contract shows them: its fields first, then whatever else the upstream said.

What went into one of its fields under another name is not said twice, and the variables of a sandbox are not shown
at all: they are where people put secrets.
"""

from collections.abc import Mapping
from typing import Any, Final

from scaiflow_api.upstreams.scaibunker import Bunker
from scaiflow_api.upstreams.scaigrid_answers import GridModel
from scaiflow_api.upstreams.scaiqueue import Queue, Scope

_OF_A_BUNKER: Final = frozenset({"id", "image", "lifecycle_mode", "env_vars"})
_OF_A_SCOPE: Final = frozenset({"scope_id"})
_OF_A_QUEUE: Final = frozenset({"queue_id", "ordering"})
_OF_A_MODEL: Final = frozenset({"object"})


def scope_item(scope: Scope) -> dict[str, Any]:
    shown = {
        "id": scope.id,
        "slug": scope.slug,
        "display_name": scope.display_name or scope.slug,
        "description": scope.description,
    }
    return _item(shown, scope.row, _OF_A_SCOPE)


def queue_item(queue: Queue) -> dict[str, Any]:
    shown = {
        "id": queue.id,
        "scope_id": queue.scope_id,
        "slug": queue.slug,
        "display_name": queue.display_name or queue.slug,
        "consumer_mode": queue.consumer_mode,
        "max_retries": queue.max_retries,
    }
    return _item(shown, queue.row, _OF_A_QUEUE)


def bunker_item(bunker: Bunker) -> dict[str, Any]:
    shown = {
        "bunker_id": bunker.bunker_id,
        "image_ref": bunker.image_ref,
        "lifecycle": bunker.lifecycle,
        "status": bunker.status,
    }
    return _item(shown, bunker.row, _OF_A_BUNKER)


def model_item(model: GridModel) -> dict[str, Any]:
    shown = {
        "slug": model.slug,
        "display_name": model.display_name,
        "modality": model.modality,
        "context_window": model.context_window,
        "max_output_tokens": model.max_output_tokens,
    }
    read_as_slug = {"id"} if model.row.get("id") == model.slug else set()
    return _item(shown, model.row, _OF_A_MODEL | read_as_slug)


def _item(
    shown: Mapping[str, Any], row: Mapping[str, Any], left_out: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return what is shown, without the fields that the upstream left open, and the rest of its row."""
    said = {name: value for name, value in shown.items() if value is not None}
    rest = {name: value for name, value in row.items() if name not in shown and name not in left_out}
    return {**said, **rest}
