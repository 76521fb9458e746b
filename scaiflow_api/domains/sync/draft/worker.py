"""What is done to the updates of a draft, in a process of its own: some made-up updates crash their reader."""

from typing import Any, Final, TypeAlias

import orjson
from pycrdt import merge_updates

from scaiflow_api.domains.sync.document import (
    NO_CHANGE,
    TooMuch,
    count_entries,
    epoch_client_id,
    merge_into,
    open_log,
    read_flow,
)

Answer: TypeAlias = tuple[str, Any]
DONE: Final = "done"
TOO_MUCH: Final = "too much"


def answer(question: str, updates: list[bytes], max_entries: int, *arguments: Any) -> Answer:
    """Answer `read`, `merge` or `shorten`; TOO_MUCH comes with limit, maximum and actual."""
    try:
        if question == "read":
            return DONE, _read(updates, max_entries)
        if question == "shorten":
            # Other than the state of the document, it also keeps what waits for updates that did not come yet.
            return DONE, merge_updates(*updates)
        return DONE, _merge(updates, max_entries, *arguments)
    except TooMuch as found:
        return TOO_MUCH, (found.limit, found.maximum, found.actual)


def _read(updates: list[bytes], max_entries: int) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    """Return the flow that a log makes, and the problems found on the way."""
    found = read_flow(open_log(updates), max_entries=max_entries)
    return found.document, [
        (problem.path, problem.message, problem.code, problem.fix) for problem in found.problems
    ]


def _merge(updates: list[bytes], max_entries: int, epoch: str, texts: list[bytes]) -> list[bytes]:
    """Return the updates that bring versions into a draft, one after the other; the first is in it already."""
    doc = open_log(updates, client_id=epoch_client_id(epoch))
    base = orjson.loads(texts[0])
    made = []
    for number, text in enumerate(texts[1:], start=2):
        new = orjson.loads(text)
        entries = count_entries(new)
        if entries > max_entries:
            if number == len(texts):
                raise TooMuch("entries", max_entries, entries)
            continue  # what comes after it is compared with what was before it
        made.append(merge_into(doc, base, new, max_entries=max_entries))
        base = new
    return [update for update in made if update != NO_CHANGE]
