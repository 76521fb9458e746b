"""The process that holds drafts: it applies changes, and tells what somebody lacks."""

from collections.abc import Callable
from typing import Any, Final

from scaiflow_api.domains.sync.keeper.kept_document import KeptDocument
from scaiflow_api.domains.sync.keeper.serving import serve
from scaiflow_api.domains.sync.keeper.wire import ANSWERED, FAILED, UNKNOWN_DRAFT
from scaiflow_api.domains.sync.varints import Malformed

_held: dict[str, KeptDocument] = {}


def _open(key: str, seed_client: int, updates: list[bytes]) -> int:
    draft = KeptDocument(seed_client)
    unreadable = draft.load(updates)
    _held[key] = draft
    return unreadable


def _apply(key: str, changes: list[tuple[bytes, bool]]) -> list[tuple[str, bytes]]:
    return [_held[key].apply(update, trim=trim) for update, trim in changes]


def _forget(key: str) -> None:
    _held.pop(key, None)


_ABOUT_ANY: Final[dict[str, Callable[..., Any]]] = {"open": _open, "forget": _forget}
_ABOUT_HELD: Final[dict[str, Callable[..., Any]]] = {
    "apply": _apply,
    "adds": lambda key, update: _held[key].adds(update),
    "lacked_by": lambda key, vector: _held[key].lacked_by(vector),
    "whole": lambda key: _held[key].whole(),
}


def _answer(question: str, key: str, *arguments: Any) -> tuple[int, Any]:
    if question in _ABOUT_ANY:
        return ANSWERED, _ABOUT_ANY[question](key, *arguments)
    if key not in _held:
        return FAILED, UNKNOWN_DRAFT
    try:
        return ANSWERED, _ABOUT_HELD[question](key, *arguments)
    except (Malformed, ValueError) as error:
        return FAILED, str(error)


if __name__ == "__main__":
    serve(_answer)
