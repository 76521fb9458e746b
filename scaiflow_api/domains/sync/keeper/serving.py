"""A helper's side of the pipe: one question after the other."""

import os
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from scaiflow_api.domains.sync.keeper.wire import AT_WORK, HEAD, packed, unpacked

_STACK_BYTES: Final = 1024 * 1024
"""Less than the threads of the API have. The library deletes what is nested on the stack: what it survives here, it
survives there too, when a draft is read for REST."""


def serve(answer: Callable[..., tuple[int, Any]]) -> None:
    """Answer until the API's process closes the pipe, or is gone. What `answer` raises ends this process."""
    threading.stack_size(_STACK_BYTES)
    answering = threading.Thread(target=_serve, args=(answer,))
    answering.start()
    answering.join()


def _serve(answer: Callable[..., tuple[int, Any]]) -> None:
    try:
        _answer_all(answer)
    except ConnectionError:
        # Whoever asked was killed: there is nobody to tell, and what lies in the buffer can be written nowhere.
        os._exit(0)


def _answer_all(answer: Callable[..., tuple[int, Any]]) -> None:
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    answers.write(AT_WORK)
    answers.flush()
    while len(head := questions.read(HEAD.size)) == HEAD.size:
        question = unpacked(questions.read(HEAD.unpack(head)[0]))
        answers.write(packed(answer(*question)))
        answers.flush()
