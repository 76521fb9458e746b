"""Queues against a model of them in a few lines: any order of publishing, claiming, ending and waiting."""

import sqlite3
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scaiflow_api.localgrid.scaigrid.errors import GridError
from scaiflow_api.localgrid.scaiqueue import claims, messages, publishing, queues, scopes
from scaiflow_api.localgrid.scaiqueue.message import Actor, NewMessage
from scaiflow_api.localgrid.scaiqueue.queues import NewQueue
from scaiflow_api.localgrid.scaiqueue.schema import TABLES

ACTORS = [Actor(type="user", id=name) for name in ("ann", "ben")]
VISIBLE_S = 30
MAX_RETRIES = 2

_WHO = st.sampled_from(range(len(ACTORS)))
_WHICH = st.integers(0, 5)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from([0, 500, 1000]), st.sampled_from([None, 20, 100])),
        st.tuples(st.just("claim"), _WHO, st.integers(1, 3)),
        st.tuples(st.sampled_from(["complete", "fail", "release", "extend"]), _WHO, _WHICH),
        st.tuples(st.just("wait"), st.sampled_from([1, 10, 30]), st.none()),
    ),
    max_size=40,
)


@dataclass
class Modelled:
    """A message as the model has it."""

    body: int
    score: int
    expires: float | None
    state: str = "pending"
    attempts: int = 0
    visible: float = 0
    holder: int | None = None


@dataclass
class Model:
    """What a queue is said to do."""

    ordering: str
    now: float = 1_000_000.0
    messages: list[Modelled] = field(default_factory=list)

    def settle(self) -> None:
        for message in self.messages:
            if message.state == "claimed" and message.visible <= self.now:
                message.state, message.holder = "pending", None
            if message.state == "pending" and message.expires is not None and message.expires <= self.now:
                message.state = "expired"

    def claim(self, who: int, most: int) -> list[int]:
        free = [m for m in self.messages if m.state == "pending" and m.visible <= self.now]
        if self.ordering == "priority":
            free.sort(key=lambda message: -message.score)
        for message in free[:most]:
            message.state, message.holder = "claimed", who
            message.attempts += 1
            message.visible = self.now + VISIBLE_S
        return [message.body for message in free[:most]]

    def end(self, verb: str, who: int, message: Modelled) -> bool:
        if message.state != "claimed" or message.holder != who:
            return False
        if verb == "extend":
            message.visible = self.now + VISIBLE_S
            return True
        message.holder = None
        message.state = "completed" if verb == "complete" else "pending"
        if verb == "release":
            message.visible = self.now
        if verb == "fail":
            message.visible = self.now + 2 ** (message.attempts - 1)
            if message.attempts >= MAX_RETRIES:
                message.state = "dead_lettered"
        return True


class Real:
    """The same questions to the queue."""

    def __init__(self, ordering: str) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        self.connection.executescript(TABLES)
        self.scope = scopes.add(
            self.connection, "tnt_acme", "s", display_name=None, description=None, now="now"
        )
        new = NewQueue(
            slug="q", consumer_mode=ordering, max_retries=MAX_RETRIES, visibility_timeout_s=VISIBLE_S
        )
        self.queue_id = queues.add(self.connection, self.scope.id, new, "now").id
        self.ids: list[str] = []

    def publish(self, body: int, score: int, ttl: int | None, now: float) -> None:
        queue = queues.get(self.connection, self.scope.id, self.queue_id)
        new = NewMessage(message_type="t", body=body, priority_score=score, ttl_seconds=ttl)
        message, _ = publishing.publish(self.connection, self.scope, queue, new, ACTORS[0], now)
        self.ids.append(message.id)

    def claim(self, who: int, most: int, now: float) -> list[int]:
        messages.settle(self.connection, self.scope, now)
        queue = queues.get(self.connection, self.scope.id, self.queue_id)
        found = claims.claim(self.connection, self.scope, queue, ACTORS[who], most=most, now=now)
        return [message.published["body"] for message in found]

    def end(self, verb: str, who: int, index: int, now: float) -> bool:
        messages.settle(self.connection, self.scope, now)
        place: Any = (self.connection, self.scope, self.ids[index], ACTORS[who])
        try:
            match verb:
                case "complete":
                    claims.complete(*place, result=None, now=now)
                case "fail":
                    claims.fail(*place, reason=None, now=now)
                case "release":
                    claims.release(*place, now=now)
                case _:
                    claims.extend(*place, seconds=None, now=now)
        except GridError as refused:
            if refused.code != "SCAIQUEUE_MESSAGE_NOT_CLAIMED":
                raise
            return False
        return True

    def states(self, now: float) -> list[tuple[str, int]]:
        messages.settle(self.connection, self.scope, now)
        found = [messages.get(self.connection, self.scope, message_id) for message_id in self.ids]
        return [(message.state, message.attempts) for message in found]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["fifo", "priority"]), OPERATIONS)
def test_a_queue_does_what_its_model_does(ordering: str, operations: list[Any]) -> None:
    model, real = Model(ordering), Real(ordering)
    for name, first, second in operations:
        model.settle()
        match name:
            case "publish":
                expires = None if second is None else model.now + second
                model.messages.append(Modelled(len(model.messages), first, expires, visible=model.now))
                real.publish(len(model.messages) - 1, first, second, model.now)
            case "claim":
                assert real.claim(first, second, model.now) == model.claim(first, second)
            case "wait":
                model.now += first
            case _ if second < len(model.messages):
                ended = model.end(name, first, model.messages[second])
                assert real.end(name, first, second, model.now) == ended
    model.settle()
    assert real.states(model.now) == [(message.state, message.attempts) for message in model.messages]
    real.connection.close()
