"""The process that holds drafts may end, over a made-up change or by itself: nothing is lost."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api_sync_clients import eventually
from api_sync_crash import CRASHING, SEED, SEED_CLIENT
from api_sync_fixtures import *  # noqa: F403 - fixtures of a whole module
from api_sync_fixtures import Json, Open, fixture
from pycrdt import Doc, Map

from scaiflow_api.domains.sync.document import epoch_client_id, seed
from scaiflow_api.domains.sync.draft_log import DraftLog, Place
from scaiflow_api.domains.sync.held_draft import HeldDraft
from scaiflow_api.domains.sync.keeper import helper as helper_module
from scaiflow_api.domains.sync.keeper.client import Keeper
from scaiflow_api.domains.sync.keeper.helper import Helper, HelperCrashed, HelperLost
from scaiflow_api.domains.sync.keeper.kept_document import CHANGED, INVALID
from scaiflow_api.domains.sync.rooms import Rooms
from scaiflow_api.resources import Resources

pytestmark = pytest.mark.asyncio(loop_scope="module")
IN_PROC = pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system does not show processes")


@fixture
async def keeper() -> AsyncIterator[Keeper]:
    made = Keeper()
    yield made
    await made.close()


def change(client_id: int) -> bytes:
    doc: Doc[Map] = Doc(client_id=client_id)
    doc.get("flow", type=Map)[f"by {client_id}"] = 1
    return doc.get_update()


async def test_only_the_question_that_it_ended_over_is_blamed(keeper: Keeper) -> None:
    await keeper.open("bad", SEED_CLIENT, [SEED])
    await keeper.open("good", SEED_CLIENT, [SEED])
    asked = [keeper.apply("bad", [(update, False)]) for update in CRASHING]

    *answers, lost, other = await asyncio.gather(
        *asked, keeper.whole("good"), keeper.apply("good", []), return_exceptions=True
    )

    assert type(answers[-1]) is HelperCrashed
    assert {type(lost), type(other)} == {HelperLost}
    assert keeper.crashes == 1
    with pytest.raises(HelperLost):  # another process, which knows nothing yet
        await keeper.whole("good")
    await keeper.open("good", SEED_CLIENT, [SEED])
    assert (await keeper.whole("good"))[0] != b""


async def test_no_question_is_blamed_for_a_process_that_never_came_to_work() -> None:
    helper = Helper("scaiflow_api.no_such_module")
    with pytest.raises(HelperLost) as lost:
        await helper.ask("anything")
    assert type(lost.value) is HelperLost
    await helper.close()


async def test_a_process_that_hangs_does_not_keep_the_server_from_stopping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(helper_module, "_END_WITHIN_S", 0.1)
    keeper = Keeper()
    await keeper.open("any", SEED_CLIENT, [SEED])
    running = keeper._helper._running
    assert running is not None
    running.process.send_signal(signal.SIGSTOP)

    await asyncio.wait_for(keeper.close(), 20)

    assert running.process.returncode == -signal.SIGKILL


async def test_of_many_changes_the_one_that_it_does_not_survive_is_invalid(
    keeper: Keeper, resources: Resources, flow_id: str
) -> None:
    draft_log = DraftLog(resources.db, resources.clock)
    place = Place("tnt_acme", flow_id)
    await draft_log.begin(place, epoch="epoch_x", version="1.0.0", seed=SEED)
    draft = await draft_log.find(place)
    assert draft is not None
    held = HeldDraft("x", draft, SEED_CLIENT, keeper, draft_log)
    await held.open(await draft_log.since(draft, 0))
    good = [change(11), change(12)]

    judged = await held.judge([(update, False) for update in (good[0], *CRASHING, good[1])])

    assert [verdict for verdict, _ in judged] == [CHANGED] * 4 + [INVALID, CHANGED]
    assert await held.store([update for verdict, update in judged if verdict == CHANGED]) == []
    whole, _ = await held.whole()
    doc: Doc[Map] = Doc()
    doc.apply_update(whole)
    assert {"by 11", "by 12"} <= set(doc.get("flow", type=Map))


async def test_who_begins_is_told_all_without_asking_it_each_time(
    keeper: Keeper, resources: Resources, flow_id: str, echo: Json
) -> None:
    draft_log = DraftLog(resources.db, resources.clock)
    place = Place("tnt_acme", flow_id)
    await draft_log.begin(place, epoch="epoch_x", version="1.0.0", seed=seed(echo, "epoch_x"))
    draft = await draft_log.find(place)
    assert draft is not None
    held = HeldDraft(flow_id, draft, epoch_client_id("epoch_x"), keeper, draft_log)
    await held.open(await draft_log.since(draft, 0))
    first, _, _ = await held.beginning()

    (judged,) = await held.judge([(change(11), False)])
    await held.store([judged[1]])
    await draft_log.append(draft, [change(12)])  # by another process
    await held.catch_up()

    told, later, _ = await held.beginning()
    assert (told, len(later)) == (first, 2)
    doc: Doc[Map] = Doc()
    for update in (told, *later):
        doc.apply_update(update)
    assert {"by 11", "by 12"} <= set(doc.get("flow", type=Map))

    many = [change(client_id) for client_id in range(100, 200)]
    await held.store([update for _, update in await held.judge([(update, False) for update in many])])
    told, later, _ = await held.beginning()
    assert (len(told) > len(first), later) == (True, [])


async def test_nobody_notices_that_the_keeper_was_killed(window: Open, rooms: Rooms) -> None:
    one, other = await window().connect(), await window().connect()
    for number in range(2):
        running = rooms._keeper._helper._running
        assert running is not None
        one.nodes[f"node_{number}"] = Map({"id": f"node_{number}"})
        running.process.kill()
        await eventually(lambda number=number: f"node_{number}" in other.nodes)

    third = await window().connect()
    assert third.content() == one.content() == other.content()


@IN_PROC
async def test_the_keeper_inherits_no_secret(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCAIFLOW_DB_URL", "postgresql://user:secret@somewhere/db")
    await keeper.open("x", SEED_CLIENT, [SEED])
    assert keeper._helper._running is not None
    process = keeper._helper._running.process

    environment = Path(f"/proc/{process.pid}/environ").read_bytes()
    assert b"PATH=" in environment
    assert b"SCAIFLOW" not in environment


@IN_PROC
async def test_it_ends_when_the_process_that_asked_it_is_killed(tmp_path: Path) -> None:
    """Which then cannot say so."""
    script = tmp_path / "asks.py"
    script.write_text(
        "import asyncio\n"
        "from scaiflow_api.domains.sync.keeper.client import Keeper\n"
        "async def ask():\n"
        "    keeper = Keeper()\n"
        "    await keeper.open('x', 2**32, [])\n"
        "    print(keeper._helper._running.process.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(ask())\n"
    )
    asker = await asyncio.create_subprocess_exec(sys.executable, str(script), stdout=asyncio.subprocess.PIPE)
    assert asker.stdout is not None
    pid = int(await asyncio.wait_for(asker.stdout.readline(), 20))
    assert Path(f"/proc/{pid}").exists()

    asker.kill()
    await asker.wait()

    await eventually(lambda: not Path(f"/proc/{pid}").exists() or b"Z" in state_of(pid))


def state_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return b"Z"


async def test_it_ends_with_the_process_that_asks_it(keeper: Keeper) -> None:
    await keeper.open("x", SEED_CLIENT, [SEED])
    assert keeper._helper._running is not None
    process = keeper._helper._running.process

    await keeper.close()

    assert process.returncode == 0
