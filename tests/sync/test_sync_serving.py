"""A helper whose asker is gone has nobody left to tell."""

import socket
import subprocess
import sys
import time

from scaiflow_api.domains.sync.keeper.wire import AT_WORK, packed


def test_amid_an_answer_it_ends_without_a_word() -> None:
    """Standard error is the log of the API, one JSON object per line."""
    script = (
        "import time\n"
        "from scaiflow_api.domains.sync.keeper.serving import serve\n"
        "def answer(*question):\n"
        "    time.sleep(0.3)\n"
        "    return 0, b'x' * 1_000_000\n"
        "serve(answer)\n"
    )
    (questions, its_questions), (answers, its_answers) = socket.socketpair(), socket.socketpair()
    with its_questions, its_answers:
        helper = subprocess.Popen(
            [sys.executable, "-c", script], stdin=its_questions, stdout=its_answers, stderr=subprocess.PIPE
        )
    with questions, answers:
        answers.settimeout(20)
        assert answers.recv(len(AT_WORK)) == AT_WORK
        questions.sendall(packed(("anything",)))
        time.sleep(0.1)

    assert helper.communicate(timeout=20) == (None, b"")
    assert helper.returncode == 0
