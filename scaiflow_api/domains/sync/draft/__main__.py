"""The process that reads drafts for REST. It holds nothing between two questions."""

from typing import Any

from scaiflow_api.domains.sync.draft.worker import answer
from scaiflow_api.domains.sync.keeper.serving import serve
from scaiflow_api.domains.sync.keeper.wire import ANSWERED


def _answer(*question: Any) -> tuple[int, Any]:
    return ANSWERED, answer(*question)


if __name__ == "__main__":
    serve(_answer)
