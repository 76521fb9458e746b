"""What can be done to a flow and a package, as a table; and what can be seen of them afterwards.

Mostly erin does it, who holds `admin` on bob's flow by a grant and published the package. Each subject has a mark of
its own in its names.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from api_flow_calls import Json, create, grant
from people import People, Person
from played_queues import PlayedQueues

from scaiflow_api.resources import Resources


@dataclass
class Subject:
    """What one run of an operation is about."""

    mark: str
    content: Json
    flow: str = ""
    tag: str = ""
    """The flow's ETag."""
    erins_acl: str = ""
    carols_acl: str = ""

    @property
    def changed(self) -> Json:
        return {**self.content, "metadata": {"description": "changed"}}


@dataclass(frozen=True)
class Operation:
    """A request, of which `{flow}` and the other fields of its subject are filled in."""

    method: str
    path: str
    body: Callable[[Subject], Json] | None = None
    by: str = "erin"
    conditional: bool = False
    """Sends the ETag that the flow had before."""
    decided_early: bool = False
    """It is judged, and takes what it takes, when it reads; else when its row moves."""
    in_two: bool = False
    """It first takes the flow out of ScaiGrid, and that stays so when the rest is refused."""
    needs: frozenset[str] = frozenset()
    """What there is besides the flow: `package`, `core`, `deleted` (the flow was), `queues` (it declares two)."""
    repeated: frozenset[str] = field(default_factory=frozenset)
    """The codes that refuse it when it was done already."""

    async def send(self, client: httpx.AsyncClient, subject: Subject, people: People) -> httpx.Response:
        """Send the request."""
        who: Person = getattr(people, self.by)
        condition = {"If-Match": subject.tag} if self.conditional else {}
        return await client.request(
            self.method,
            self.path.format_map(vars(subject)),
            json=self.body(subject) if self.body else None,
            headers={**who.headers, **condition},
        )


FLOW = "/flows/{flow}"
GONE = frozenset({"flow_not_found"})
PACKAGE = "/catalog/{mark}"


def _needs(*things: str) -> frozenset[str]:
    return frozenset(things)


OPERATIONS = {
    "create": Operation("POST", "/flows", lambda it: {"name": f"{it.mark} new", "content": it.content}),
    "save": Operation("PUT", FLOW, lambda it: {"content": it.changed, "message": "saved"}),
    "save if unchanged": Operation(
        "PUT",
        FLOW,
        lambda it: {"content": it.changed, "message": "saved"},
        conditional=True,
        repeated=frozenset({"version_conflict"}),
    ),
    "rename": Operation("PUT", FLOW, lambda it: {"name": f"{it.mark} renamed"}),
    "rename and save": Operation(
        "PUT", FLOW, lambda it: {"name": f"{it.mark} renamed", "content": it.changed}
    ),
    "restore a version": Operation("POST", FLOW + "/versions/1.0.0/restore"),
    "delete": Operation("DELETE", FLOW, repeated=GONE),
    "delete if unchanged": Operation("DELETE", FLOW, conditional=True, repeated=GONE),
    "restore": Operation(
        "POST", FLOW + "/restore", needs=_needs("deleted"), repeated=frozenset({"flow_not_deleted"})
    ),
    "transfer": Operation("POST", FLOW + "/transfer", lambda it: {"owner_id": "usr_alice"}, by="bob"),
    "duplicate": Operation("POST", FLOW + "/duplicate", decided_early=True),
    "grant": Operation(
        "POST",
        FLOW + "/acls",
        lambda it: {"principal_type": "user", "principal_id": "usr_alice", "level": "edit"},
        repeated=frozenset({"acl_exists"}),
    ),
    "change a grant": Operation("PATCH", FLOW + "/acls/{carols_acl}", lambda it: {"level": "deploy"}),
    "revoke a grant": Operation("DELETE", FLOW + "/acls/{carols_acl}", repeated=frozenset({"acl_not_found"})),
    "revoke erin": Operation(
        "DELETE", FLOW + "/acls/{erins_acl}", by="bob", repeated=frozenset({"acl_not_found"})
    ),
    "lower erin": Operation("PATCH", FLOW + "/acls/{erins_acl}", lambda it: {"level": "view"}, by="bob"),
    "publish": Operation(
        "POST",
        "/catalog/publish",
        lambda it: {"package_id": it.mark, "flow_id": it.flow, "version": "1.0.0"},
        decided_early=True,
    ),
    "publish again": Operation(
        "POST",
        "/catalog/publish",
        lambda it: {"package_id": it.mark, "content": it.changed, "description": "again"},
        needs=_needs("package"),
    ),
    "change a package": Operation(
        "PATCH",
        PACKAGE,
        lambda it: {"name": f"{it.mark} renamed", "visibility": "groups", "visibility_group_ids": ["grp_x"]},
        needs=_needs("package"),
    ),
    "delete a package": Operation(
        "DELETE", PACKAGE, needs=_needs("package"), repeated=frozenset({"package_not_found"})
    ),
    "install and save": Operation(
        "POST", PACKAGE + "/install", lambda it: {"save": True}, decided_early=True, needs=_needs("package")
    ),
    "deploy": Operation("POST", FLOW + "/deploy", decided_early=True),
    "deploy again": Operation(
        "POST",
        FLOW + "/deploy",
        lambda it: {"publish_as_model": True},
        decided_early=True,
        needs=_needs("core"),
    ),
    "deploy with queues": Operation("POST", FLOW + "/deploy", decided_early=True, needs=_needs("queues")),
    "undeploy": Operation("POST", FLOW + "/undeploy", decided_early=True, needs=_needs("core")),
    "delete with its core": Operation(
        "DELETE", FLOW + "?undeploy=true", needs=_needs("core"), repeated=GONE, in_two=True
    ),
}


@dataclass
class World:
    """A process that is well, and who uses it."""

    api: httpx.AsyncClient
    resources: Resources
    people: People
    echo: Json
    cores: dict[str, Json]
    queues: PlayedQueues

    async def prepare(self, mark: str, needs: frozenset[str]) -> Subject:
        """Make a flow of bob's that erin may do everything with, and what else is needed."""
        bob, erin = self.people.bob.headers, self.people.erin.headers
        subject = Subject(mark, {**self.echo, "name": f"{mark} flow"})
        if "queues" in needs:
            topology = {"scope": mark, "queues": [{"slug": "review"}, {"slug": "urgent"}]}
            config = {**self.echo["config"], "scaiqueue": topology}
            subject.content = {**subject.content, "config": config}
        made = await create(self.api, bob, subject.content, message="first")
        subject.flow = made["id"]
        await grant(self.resources, subject.flow, "usr_erin", "admin")
        await grant(self.resources, subject.flow, "usr_carol", "view")
        acls = (await self.api.get(f"/flows/{subject.flow}/acls", headers=bob)).json()
        subject.erins_acl, subject.carols_acl = (
            next(row["id"] for row in acls if row["principal_id"] == who) for who in ("usr_erin", "usr_carol")
        )
        requests = []
        if "package" in needs:
            requests += [("POST", "/catalog/publish", {"package_id": mark, "content": subject.content})]
        if "core" in needs:
            requests += [("POST", f"/flows/{subject.flow}/deploy", {})]
        for method, path, body in requests:
            answer = await self.api.request(method, path, json=body, headers=erin)
            assert answer.is_success, answer.text
        subject.tag = (await self.api.get(f"/flows/{subject.flow}", headers=bob)).headers["etag"]
        if "deleted" in needs:
            answer = await self.api.delete(f"/flows/{subject.flow}", headers=bob)
            assert answer.is_success, answer.text
        return subject

    async def look(self, subject: Subject) -> "Seen":
        """Read all that an administrator can see of a subject; every content must be there and whole."""
        flows = await self._get(f"/flows?limit=500&search={subject.mark} ")
        deleted = await self._get(f"/flows?deleted=true&limit=500&search={subject.mark} ")
        packages = [item for item in await self._get("/catalog") if item["package_id"] == subject.mark]
        return Seen(
            flows=sorted([await self._flow(item) for item in flows["items"]], key=str),
            deleted=sorted(self._named(item) for item in deleted["items"]),
            packages=[await self._package(item) for item in packages],
            deployed=[
                {"version": row["flow_version"], "slug": row["published_slug"] is not None}
                for item in flows["items"]
                for row in await self._get(f"/flows/{item['id']}/deployments")
                if row["status"] == "deployed"
            ],
            cores=sum(core["metadata"]["source_id"] == subject.flow for core in self.cores.values()),
            queues=self._queues(subject.mark),
        )

    def _queues(self, mark: str) -> list[str]:
        scope = self.queues.scopes.get(mark, {}).get("id")
        return [slug for scope_id, slug in self.queues.queues if scope_id == scope]

    async def _get(self, path: str) -> Any:
        answer = await self.api.get(path, headers=self.people.alice.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @staticmethod
    def _named(item: Json) -> str:
        return str(item["name"]).partition(" ")[2]

    async def _flow(self, item: Json) -> Json:
        listed = await self._get(f"/flows/{item['id']}/versions")
        assert [row["version"] for row in listed if row["is_current"]] == [item["version"]]
        assert listed[0]["is_current"]
        contents = [await self._get(f"/flows/{item['id']}/versions/{row['version']}") for row in listed]
        acls = await self._get(f"/flows/{item['id']}/acls")
        return {
            "name": self._named(item),
            "owner": item["owner_id"],
            "versions": [
                {
                    "message": row["message"].replace(item["name"].partition(" ")[0], ""),
                    "content": read["content"]["metadata"],
                    "author": row["author_id"],
                }
                for row, read in zip(listed, contents, strict=True)
            ],
            "acls": sorted((row["principal_id"], row["level"]) for row in acls),
        }

    async def _package(self, item: Json) -> Json:
        read = await self._get(f"/catalog/{item['package_id']}")
        assert read["versions"][0]["version"] == item["version"]
        files = [
            await self.api.post(
                f"/catalog/{item['package_id']}/install",
                json={"version": row["version"]},
                headers=self.people.alice.headers,
            )
            for row in read["versions"]
        ]
        return {
            "name": self._named(item),
            "description": item["description"],
            "visibility": (item["visibility"], item["visibility_group_ids"]),
            "versions": [file.json()["content"]["metadata"] for file in files],
        }


@dataclass
class Seen:
    """What there is to see of a subject, without ids, numbers and times."""

    flows: list[Json]
    deleted: list[str]
    packages: list[Json]
    deployed: list[Json]
    """Of the flows that are not deleted, the newest first."""
    cores: int
    queues: list[str]
    """Of its scope in ScaiQueue."""

    @property
    def kept(self) -> tuple[list[Json], list[str], list[Json]]:
        """What is ours alone, and therefore changes in one step."""
        return self.flows, self.deleted, self.packages

    @property
    def essence(self) -> tuple[Any, ...]:
        """The same for one who did something once and one who did it again because no answer came."""
        flows = [{**flow, "versions": _without_repeats(flow["versions"])} for flow in self.flows]
        packages = [{**one, "versions": _without_repeats(one["versions"])} for one in self.packages]
        return (
            _without_repeats(flows),
            self.deleted,
            packages,
            _without_repeats(self.deployed),
            self.cores,
            self.queues,
        )


def _without_repeats(found: list[Json]) -> list[Json]:
    return [one for place, one in enumerate(found) if place == 0 or one != found[place - 1]]
