"""The events of a run on their way into the store."""

import asyncio
import threading
from pathlib import Path

from localgrid_ir import a_module
from localgrid_support import FakeClock

from scaiflow_api.localgrid.runtime.events import BLOCK_ENTERED, RuntimeEvent
from scaiflow_api.localgrid.scaicore.core_table import Core
from scaiflow_api.localgrid.scaicore.invocation import Invocation
from scaiflow_api.localgrid.scaicore.journal import Journal
from scaiflow_api.localgrid.store import Store

CORE = Core(
    id="core_x",
    tenant_id="tnt_acme",
    slug="x",
    name="x",
    status="running",
    manifest="",
    metadata={},
    created_at="",
    updated_at="",
)


async def test_a_branch_that_is_cancelled_while_it_waits_loses_no_events(tmp_path: Path) -> None:
    store = Store(tmp_path / "grid.db")
    await store.open()
    module = a_module()
    journal = Journal(
        store, FakeClock(), Invocation(core=CORE, module=module, flow=module.flows[0], input={}), "exec_x"
    )
    busy = threading.Event()
    occupied = asyncio.create_task(store.read(lambda _: busy.wait(5)))
    for number in range(1000):
        journal.emit("", number, RuntimeEvent(BLOCK_ENTERED, {"node_id": f"node_{number}"}))
        if number == 10:
            await asyncio.sleep(0)
    branch = asyncio.create_task(journal.pace())
    for _ in range(3):
        await asyncio.sleep(0)
    assert not branch.done()

    branch.cancel()
    await asyncio.wait({branch})
    busy.set()
    await journal.settle()
    written = await store.read(
        lambda connection: connection.execute("SELECT count(*) FROM events").fetchone()[0]
    )
    await occupied
    await store.close()

    assert branch.cancelled()
    assert written == 1000
