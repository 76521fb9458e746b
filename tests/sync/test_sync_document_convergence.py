"""Several clients that come and go, and saves by REST in between: all see one document in the end.

Played without sockets: a log in one order, clients who read as far as they came, and processes that merge versions
into what they have read, of which one at a time may add what it made.
"""

import copy
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, Map
from sync_flows import a_flow, edited

from scaiflow_api.domains.sync.document import NO_CHANGE, epoch_client_id, merge, open_log, seed, to_flow
from scaiflow_api.kit.canonical_json import canonical_json

Flow = dict[str, Any]
SERVER = epoch_client_id("e")


@dataclass
class Client:
    doc: Doc[Any]
    seen: int = 0
    acknowledged: list[bytes] = field(default_factory=list)

    def edit(self, random: Random) -> None:
        flow = self.doc.get("flow", type=Map)
        nodes = flow["nodes"]
        names = sorted(name for name in nodes.keys() if name != "$absent")  # noqa: SIM118
        match random.choice(["add", "label", "remove", "config", "move"]):
            case "add":
                place = f"a{random.randint(0, 9)}V"
                nodes[f"n{random.randint(0, 12)}"] = Map(
                    {"type": "llm_rigid", "label": "new", "$index": place}
                )
            case "remove" if names:
                del nodes[random.choice(names)]
            case "label" if names:
                nodes[random.choice(names)]["label"] = str(random.random())
            case "move" if names:
                nodes[random.choice(names)]["$index"] = f"a{random.randint(0, 9)}"
            case "config" if names:
                config = nodes[random.choice(names)].get("config")
                if isinstance(config, Map):
                    config[random.choice(["a", "$list", "é"])] = random.choice([1, None, "x"])

    def push(self, log: list[bytes]) -> None:
        state = Doc().get_state() if not self.acknowledged else open_log(log[: self.seen]).get_state()
        self.acknowledged.append(self.doc.get_update(state))
        log.append(self.acknowledged[-1])

    def pull(self, log: list[bytes], upto: int) -> None:
        for update in log[self.seen : upto]:
            self.doc.apply_update(update)
        self.seen = max(self.seen, upto)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_all_see_the_same_in_the_end(number: int) -> None:
    random = Random(number)
    versions: list[Flow] = [a_flow(random)]
    versions[0].setdefault("nodes", [])
    log, applied = [seed(versions[0], "e")], 0
    clients = [Client(Doc(client_id=index)) for index in range(1, 4)]
    for client in clients:
        client.pull(log, 1)
    processes: list[tuple[int, int, bytes]] = []
    for _ in range(25):
        client = random.choice(clients)
        match random.choice(["edit", "edit", "push", "pull", "save", "merge", "append"]):
            case "edit":
                client.edit(random)
            case "push":
                client.push(log)
            case "pull":
                client.pull(log, random.randint(client.seen, len(log)))
            case "save":
                versions.append(edited(random, copy.deepcopy(versions[-1])))
            case "merge" if applied < len(versions) - 1:
                state = open_log(log).get_update()
                update = merge(state, versions[applied], versions[-1], client_id=SERVER)
                processes.append((applied, len(versions) - 1, update))
            case "append" if processes:
                was, now, update = processes.pop(random.randrange(len(processes)))
                if was == applied:  # compare and set
                    applied = now
                    log += [] if update == NO_CHANGE else [update]
    for client in clients:
        client.push(log)
    for client in clients:
        client.pull(log, len(log))

    flows = [to_flow(client.doc) for client in clients] + [to_flow(open_log(log))]

    assert len({canonical_json(flow) for flow in flows}) == 1
    ids = [node["id"] for node in flows[0].get("nodes", [])]
    assert len(ids) == len(set(ids))
    everything = open_log([log[0], *(update for client in clients for update in client.acknowledged), *log])
    assert canonical_json(to_flow(everything)) == canonical_json(flows[0]), "an acknowledged edit is missing"
