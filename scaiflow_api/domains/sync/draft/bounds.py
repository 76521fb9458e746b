"""How large a flow may be to have a draft."""

from collections.abc import Mapping
from typing import Any

from scaiflow_api.domains.sync.document import count_entries, seed
from scaiflow_api.domains.sync.draft.errors import DraftTooLarge
from scaiflow_api.settings import Sync


def bounded_seed(content: Mapping[str, Any], epoch: str, bounds: Sync) -> bytes:
    """Return the first update of an epoch; takes seconds for the largest. Raises DraftTooLarge."""
    entries = count_entries(content)
    if entries > bounds.max_entries:  # each part is shared by itself
        raise DraftTooLarge(limit="entries", maximum=bounds.max_entries, actual=entries)
    made = seed(content, epoch)
    if len(made) > bounds.max_document_bytes:
        raise DraftTooLarge(limit="bytes", maximum=bounds.max_document_bytes, actual=len(made))
    return made
