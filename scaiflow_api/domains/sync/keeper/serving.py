"""A helper's side of the pipe: one question after the other."""

import sys
from collections.abc import Callable
from typing import Any

from scaiflow_api.domains.sync.keeper.wire import HEAD, packed, unpacked


def serve(answer: Callable[..., tuple[int, Any]]) -> None:
    """Answer until the API's process closes the pipe, or is gone. What `answer` raises ends this process."""
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while len(head := questions.read(HEAD.size)) == HEAD.size:
        question = unpacked(questions.read(HEAD.unpack(head)[0]))
        answers.write(packed(answer(*question)))
        answers.flush()
