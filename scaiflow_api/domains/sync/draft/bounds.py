"""How large a flow may be to have a draft."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from scaiflow_api.domains.sync.document import TooMuch, count_entries, seed
from scaiflow_api.domains.sync.draft.errors import DraftTooLarge
from scaiflow_api.settings import Sync


def require_few_entries(content: Mapping[str, Any], bounds: Sync) -> None:
    """Raise DraftTooLarge for a document whose parts are too many to be shared one by one."""
    found = count_entries(content)
    if found > bounds.max_entries:
        raise DraftTooLarge(limit="entries", maximum=bounds.max_entries, actual=found)


def bounded_seed(content: Mapping[str, Any], epoch: str, bounds: Sync) -> bytes:
    """Return the first update of an epoch; takes seconds for the largest. Raises DraftTooLarge."""
    require_few_entries(content, bounds)
    made = seed(content, epoch)
    if len(made) > bounds.max_document_bytes:
        raise DraftTooLarge(limit="bytes", maximum=bounds.max_document_bytes, actual=len(made))
    return made


@contextmanager
def refused_as_too_large() -> Iterator[None]:
    """Raise DraftTooLarge where a draft that is there is beyond a bound."""
    try:
        yield
    except TooMuch as found:
        raise DraftTooLarge(limit=found.limit, maximum=found.maximum, actual=found.actual) from None
