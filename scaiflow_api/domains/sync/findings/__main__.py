"""The process that validates drafts. It holds nothing between two questions."""

import os
from typing import Any, Final

from scaiflow_api.domains.sync.findings.diagnostics_map import findings_update
from scaiflow_api.domains.sync.keeper.serving import serve
from scaiflow_api.domains.sync.keeper.wire import ANSWERED
from scaiflow_api.flowgraph import Limits

_NICENESS: Final = 5
"""A large draft takes it a second: where processors are few, changes come first."""


def _answer(
    _: str,
    updates: list[bytes],
    client_id: int,
    server_keys: dict[str, str],
    limits: dict[str, Any],
    max_entries: int,
) -> tuple[int, Any]:
    return ANSWERED, findings_update(updates, client_id, server_keys, Limits(**limits), max_entries)


if __name__ == "__main__":
    os.nice(_NICENESS)
    serve(_answer)
