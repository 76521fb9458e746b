"""The draft of a flow as a canvas has it, without a socket: the log is read and written as the rooms do."""

from typing import Any

import httpx
from api_flow_calls import Headers, Json
from pycrdt import Doc, Map

from scaiflow_api.db.drafts import Drafts, Entry
from scaiflow_api.db.models.draft import SyncDocument
from scaiflow_api.domains.sync.document import seed
from scaiflow_api.kit.ids import new_id
from scaiflow_api.resources import Resources


class Canvas:
    """Somebody who has a flow open; what they do stays with them until `push`, and others' work until `pull`."""

    def __init__(self, resources: Resources, tenant_id: str, flow_id: str) -> None:
        self.resources = resources
        self._place = (tenant_id, flow_id)
        self._doc: Doc[Any] = Doc()

    @property
    def flow(self) -> "Map[Any]":
        return self._doc.get("flow", type=Map)

    async def row(self) -> SyncDocument:
        async with self.resources.db.read() as session:
            row = await Drafts(session).find(*self._place)
        assert row is not None
        return row

    async def log(self) -> list[Entry]:
        row = await self.row()
        async with self.resources.db.read() as session:
            return await Drafts(session).entries(row)

    async def pull(self) -> None:
        for entry in await self.log():
            self._doc.apply_update(entry.update)

    async def push(self) -> None:
        await self.write(self._doc.get_update())

    async def write(self, update: bytes) -> None:
        row, now = await self.row(), self.resources.clock.now()
        async with self.resources.db.write() as session:
            assert await Drafts(session).append(row, [update], now=now) is not None


async def begin_draft(api: httpx.AsyncClient, headers: Headers, resources: Resources, flow_id: str) -> Canvas:
    """Begin the draft of a flow, as the first who opens it does, and return a canvas that has it."""
    flow = (await api.get(f"/flows/{flow_id}", headers=headers)).json()
    epoch = new_id("epoch")
    async with resources.db.write() as session:
        await Drafts(session).begin(
            flow["tenant_id"],
            flow_id,
            epoch=epoch,
            version=flow["version"],
            seed=seed(flow["content"], epoch),
            now=resources.clock.now(),
        )
    canvas = Canvas(resources, flow["tenant_id"], flow_id)
    await canvas.pull()
    return canvas


class OpenDraft:
    """A draft that a canvas has open, and what the flow's owner does with both over REST."""

    def __init__(
        self, api: httpx.AsyncClient, owner: Headers, flow_id: str, echo: Json, canvas: Canvas
    ) -> None:
        self.canvas = canvas
        self._api = api
        self._owner = owner
        self._flow = f"/flows/{flow_id}"
        self._path = f"{self._flow}/draft"
        self.echo = echo

    async def get(self, headers: Headers | None = None) -> httpx.Response:
        return await self._api.get(self._path, headers=headers or self._owner)

    async def read(self) -> Json:
        answer = await self.get()
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def post(
        self, action: str, headers: Headers | None = None, body: Json | None = None
    ) -> httpx.Response:
        return await self._api.post(f"{self._path}/{action}", json=body, headers=headers or self._owner)

    async def put(self, content: Json) -> None:
        """Save a version beside the draft."""
        answer = await self._api.put(self._flow, json={"content": content}, headers=self._owner)
        assert answer.status_code == 200, answer.text

    def relabelled(self, label: str) -> Json:
        """Return the content that the flow began with, its second node with another label."""
        first, second, *others = self.echo["nodes"]
        return {**self.echo, "nodes": [first, {**second, "label": label}, *others]}

    def node(self, at: int, canvas: Canvas | None = None) -> "Map[Any]":
        found: Map[Any] = (canvas or self.canvas).flow["nodes"][self.echo["nodes"][at]["id"]]
        return found

    def labels(self, canvas: Canvas | None = None) -> list[str]:
        """Return the labels of the first two nodes on a canvas."""
        return [self.node(at, canvas)["label"] for at in (0, 1)]

    async def type(self, label: str) -> None:
        """Give the first node another label on the canvas."""
        self.node(0)["label"] = label
        await self.canvas.push()

    async def state(self) -> tuple[str, int]:
        """Return the version that was brought in last, and how long the log is."""
        return (await self.canvas.row()).applied_version, len(await self.canvas.log())
