"""The process that validates drafts. It holds nothing between two questions."""

from typing import Any

from scaiflow_api.domains.sync.findings.told import told
from scaiflow_api.domains.sync.keeper.serving import serve
from scaiflow_api.domains.sync.keeper.wire import ANSWERED
from scaiflow_api.flowgraph import Limits


def _answer(
    _: str, state: bytes, client_id: int, server_keys: dict[str, str], limits: dict[str, Any]
) -> tuple[int, Any]:
    return ANSWERED, told(state, client_id, server_keys, Limits(**limits))


if __name__ == "__main__":
    serve(_answer)
