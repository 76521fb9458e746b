"""The draft over REST: read, saved, discarded, and what other saves do to it."""

import asyncio
from typing import Any

import httpx
import pytest
from api_audit_calls import log_of
from api_draft_calls import Canvas, OpenDraft, begin_draft
from api_flow_calls import Json, grant, numbers
from api_refusals import refused
from api_sync_crash import CRASHING, SEED
from fastapi import FastAPI
from people import People
from pycrdt import Map

from scaiflow_api.domains.flows.rows import FlowRows
from scaiflow_api.domains.sync.draft.reading import Draft, DraftReader
from scaiflow_api.domains.sync.keeper.helper import HelperCrashed
from scaiflow_api.live.draft_news import topic_of
from scaiflow_api.resources import Resources
from scaiflow_api.storage import FlowVersions, StoreUnavailable


@pytest.fixture
async def draft(
    api: httpx.AsyncClient, people: People, resources: Resources, flow: str, echo: Json
) -> OpenDraft:
    canvas = await begin_draft(api, people.bob.headers, resources, flow)
    return OpenDraft(api, people.bob.headers, flow, echo, canvas)


@pytest.fixture
def nobody_follows(app: FastAPI) -> None:
    """Every save dies before its draft hears of it."""

    async def die(_: object) -> None:
        return None

    app.state.after_save = die


@pytest.fixture
def somebody_saves_meanwhile(draft: OpenDraft, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the draft is read to be saved, somebody saves a version beside it, once."""
    read, saves = DraftReader.read_sound, [draft.relabelled("Saved")]

    async def read_slowly(self: DraftReader, of: Any) -> Draft:
        found = await read(self, of)
        while saves:
            await draft.put(saves.pop())
        return found

    monkeypatch.setattr(DraftReader, "read_sound", read_slowly)


@pytest.fixture
def somebody_undoes_meanwhile(draft: OpenDraft, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the draft is saved, after it was read, everything typed and added on the canvas is undone."""
    read = DraftReader.read_sound

    async def read_and_undo(self: DraftReader, of: Any) -> Draft:
        found = await read(self, of)
        draft.node(0)["label"] = draft.echo["nodes"][0]["label"]
        del draft.canvas.flow["nodes"]["added"]
        await draft.canvas.push()
        return found

    monkeypatch.setattr(DraftReader, "read_sound", read_and_undo)


ADDED: Json = {"type": "llm_rigid", "label": "Added", "$index": "b00"}


def labels(content: Json) -> list[str]:
    return [node["label"] for node in content["nodes"]]


class TestWithoutOne:
    async def test_there_is_nothing_to_read_save_or_discard(
        self, api: httpx.AsyncClient, people: People, flow: str
    ) -> None:
        path, headers = f"/flows/{flow}/draft", people.bob.headers
        answers = [
            await api.get(path, headers=headers),
            await api.post(f"{path}/save", headers=headers),
            await api.post(f"{path}/discard", headers=headers),
            await api.get(f"/flows/{flow}/diff?from=draft", headers=headers),
        ]

        assert [refused(answer) for answer in answers] == [(404, "draft_not_found")] * 4


class TestReading:
    async def test_a_draft_is_a_flow_and_what_differs(self, draft: OpenDraft, flow: str, echo: Json) -> None:
        fresh = await draft.read()
        await draft.type("Typed")

        edited = await draft.read()

        assert (fresh["flow_id"], fresh["base_version"], fresh["diff"]["equal"]) == (flow, "1.0.0", True)
        assert fresh["content"] == {**echo, "id": flow, "version": "1.0.0"}
        assert labels(edited["content"])[0] == "Typed"
        (change,) = edited["diff"]["behaviour"]["nodes"]["changed"]
        assert change["changes"][0]["new"] == "Typed"
        assert edited["diagnostics"] == []

    async def test_whoever_may_view_the_flow_reads_it_and_no_more(
        self, people: People, resources: Resources, draft: OpenDraft, flow: str
    ) -> None:
        await grant(resources, flow, "usr_erin", "view")
        await draft.canvas.pull()

        assert (await draft.get(people.erin.headers)).status_code == 200
        for action in ("save", "discard"):
            answer = await draft.post(action, people.erin.headers)
            assert refused(answer) == (403, "insufficient_acl")
        for person in (people.carol, people.dave):
            answer = await draft.get(person.headers)
            assert refused(answer) == (404, "flow_not_found")

    async def test_it_is_not_called_unreadable_for_what_ended_its_reader_once(
        self, app: FastAPI, draft: OpenDraft, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As where the machine's memory ran out: whoever believes it throws the draft away."""
        helper = app.state.rooms.conversions._helper
        ask, ends = helper.ask, [HelperCrashed()]

        async def ending_once(*question: Any) -> Any:
            if ends:
                raise ends.pop()
            return await ask(*question)

        monkeypatch.setattr(helper, "ask", ending_once)

        assert (await draft.get()).status_code == 200
        assert not ends

    async def test_it_has_an_etag_of_all_that_it_shows(
        self, api: httpx.AsyncClient, people: People, draft: OpenDraft, flow: str
    ) -> None:
        headers = people.bob.headers
        tag = (await draft.get()).headers["ETag"]
        again = await draft.get({**headers, "If-None-Match": tag})
        await api.put(f"/flows/{flow}", json={"name": "Renamed"}, headers=headers)
        renamed = await draft.get({**headers, "If-None-Match": tag})
        await draft.type("Typed")
        edited = await draft.get({**headers, "If-None-Match": renamed.headers["ETag"]})

        assert again.status_code == 304
        assert renamed.json()["content"]["name"] == "Renamed"
        assert labels(edited.json()["content"])[0] == "Typed"

    async def test_what_is_no_flow_is_shown_with_what_is_wrong_and_is_not_saved(
        self, api: httpx.AsyncClient, people: People, draft: OpenDraft, flow: str
    ) -> None:
        draft.canvas.flow["nodes"]["new"] = Map({"label": b"bytes"})
        await draft.canvas.push()

        found = await draft.read()
        saved = await draft.post("save")
        compared = await api.get(f"/flows/{flow}/diff?from=current&to=draft", headers=people.bob.headers)

        assert found["diff"] is None
        assert {item["code"] for item in found["diagnostics"]} >= {"SF001", "SF002"}
        assert refused(saved) == refused(compared) == (422, "invalid_flow")
        assert saved.json()["detail"]["diagnostics"] == found["diagnostics"]

    async def test_what_would_end_the_process_is_left_out(self, draft: OpenDraft) -> None:
        deep = b"\x75\x01" * 100_000 + b"\x7e"
        await draft.canvas.write(b"\x01\x01\x07\x00\x28\x01\x04flow\x01a\x01" + deep + b"\x00")

        assert (await draft.read())["diff"]["equal"]

    async def test_a_draft_that_somebody_blew_up_is_refused_until_that_is_gone(
        self, resources: Resources, draft: OpenDraft, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(resources.settings.sync.__dict__, "max_entries", 1_000)
        draft.canvas.flow["x"] = Map({f"k{number}": number for number in range(1_000)})
        await draft.canvas.push()

        refusal = await draft.get()
        await draft.put(draft.relabelled("Saved"))
        still = await draft.post("save")
        assert refused(refusal) == refused(still) == (413, "draft_too_large")
        assert (await draft.canvas.row()).applied_version == "1.0.0"

        del draft.canvas.flow["x"]
        await draft.canvas.push()
        assert labels((await draft.read())["content"])[1] == "Saved"

    async def test_what_nobody_survives_reading_is_survived_and_can_be_discarded(
        self, api: httpx.AsyncClient, people: People, draft: OpenDraft, flow: str
    ) -> None:
        for update in (SEED, *CRASHING):
            await draft.canvas.write(update)

        answers = [
            await draft.get(),
            await draft.post("save"),
            await api.get(f"/flows/{flow}/diff?from=draft", headers=people.bob.headers),
        ]
        await draft.put(draft.relabelled("Saved"))
        discarded = await draft.post("discard")

        assert [refused(answer) for answer in answers] == [(409, "draft_unreadable")] * 3
        assert discarded.json()["base_version"] == "1.0.1"
        assert (await draft.read())["diff"]["equal"]

    async def test_it_is_not_discarded_under_a_condition_that_no_longer_holds(
        self, api: httpx.AsyncClient, people: People, draft: OpenDraft, flow: str
    ) -> None:
        headers = people.bob.headers
        seen = (await api.get(f"/flows/{flow}", headers=headers)).headers["etag"]
        await draft.type("Typed")
        renamed = await api.put(f"/flows/{flow}", json={"name": "Renamed"}, headers=headers)

        stale = await draft.post("discard", {**headers, "If-Match": seen})
        kept = await draft.read()
        fresh = await draft.post("discard", {**headers, "If-Match": renamed.headers["etag"]})

        assert refused(stale) == (412, "version_conflict")
        assert labels(kept["content"])[0] == "Typed"
        assert fresh.status_code == 200
        assert labels((await draft.read())["content"])[0] != "Typed"

    async def test_it_is_a_side_of_a_comparison(
        self, api: httpx.AsyncClient, people: People, draft: OpenDraft, flow: str, echo: Json
    ) -> None:
        await draft.type("Typed")
        await draft.put(draft.relabelled("Saved"))

        answer = await api.get(f"/flows/{flow}/diff?from=1.0.0&to=draft", headers=people.bob.headers)

        changed = {
            item["name"]
            for part in ("behaviour", "layout")
            for item in answer.json()[part]["nodes"]["changed"]
        }
        assert (answer.json()["from"], answer.json()["to"]) == ("1.0.0", "draft")
        assert changed == {echo["nodes"][0]["id"], echo["nodes"][1]["id"]}


class TestOtherSaves:
    """What is saved by REST, and the draft."""

    async def test_a_save_arrives_in_the_draft_beside_what_is_not_saved(
        self, resources: Resources, draft: OpenDraft, flow: str
    ) -> None:
        heard: list[bytes] = []
        resources.announcements.subscribe(topic_of("tnt_acme", flow), heard.append)
        await draft.type("Typed")

        await draft.put(draft.relabelled("Saved"))

        draft.node(0)["label"] = "Typed on"  # before the canvas hears of it
        await draft.canvas.pull()
        assert draft.labels() == ["Typed on", "Saved"]
        assert (await draft.state(), len(heard)) == (("1.0.1", 3), 1)

    async def test_a_restored_version_arrives_too(
        self, api: httpx.AsyncClient, people: People, draft: OpenDraft, flow: str, echo: Json
    ) -> None:
        await draft.put(draft.relabelled("Saved"))
        await draft.type("Typed")

        answer = await api.post(f"/flows/{flow}/versions/1.0.0/restore", headers=people.bob.headers)

        await draft.canvas.pull()
        assert answer.json()["version"] == (await draft.canvas.row()).applied_version == "1.0.2"
        assert draft.labels() == ["Typed", echo["nodes"][1]["label"]]

    async def test_a_name_alone_or_equal_content_writes_nothing_into_it(
        self, api: httpx.AsyncClient, people: People, draft: OpenDraft, flow: str, echo: Json
    ) -> None:
        await api.put(f"/flows/{flow}", json={"name": "Renamed"}, headers=people.bob.headers)
        await draft.put(echo)

        assert await draft.state() == ("1.0.1", 1)

    @pytest.mark.usefixtures("nobody_follows")
    @pytest.mark.parametrize("saves", [1, 2, 25])
    async def test_what_a_crash_kept_from_the_draft_arrives_when_it_is_used_next(
        self, draft: OpenDraft, saves: int
    ) -> None:
        await draft.type("Typed")
        for number in range(saves):
            await draft.put(draft.relabelled(f"Saved {number}"))
        assert (await draft.canvas.row()).applied_version == "1.0.0"

        found = await draft.read()

        assert labels(found["content"])[:2] == ["Typed", f"Saved {saves - 1}"]
        assert (await draft.canvas.row()).applied_version == found["base_version"] == f"1.0.{saves}"

    @pytest.mark.usefixtures("nobody_follows")
    async def test_of_many_who_bring_a_version_in_one_does(self, draft: OpenDraft) -> None:
        await draft.put(draft.relabelled("Saved"))

        answers = await asyncio.gather(*(draft.get() for _ in range(5)))

        assert {answer.status_code for answer in answers} == {200}
        assert len(await draft.canvas.log()) == 2

    async def test_a_log_that_only_saves_write_to_stays_short(
        self, app: FastAPI, resources: Resources, draft: OpenDraft, flow: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(app.state.rooms.follower, "_merge_after", 4)
        await draft.type("Typed")
        lengths = []
        for number in range(8):
            await draft.put(draft.relabelled(f"Saved {number}"))
            lengths.append(len(await draft.canvas.log()))

        assert (max(lengths), min(lengths)) == (4, 2)
        assert labels((await draft.read())["content"])[:2] == ["Typed", "Saved 7"]
        newcomer = Canvas(resources, "tnt_acme", flow)
        await newcomer.pull()
        assert draft.labels(newcomer) == ["Typed", "Saved 7"]

    async def test_a_save_stands_where_its_draft_cannot_follow(
        self, draft: OpenDraft, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(*_: object) -> None:
            raise StoreUnavailable

        with monkeypatch.context() as broken:
            broken.setattr(FlowVersions, "read", fail)
            await draft.put(draft.relabelled("Saved"))
        assert (await draft.canvas.row()).applied_version == "1.0.0"

        assert labels((await draft.read())["content"])[1] == "Saved"

    async def test_who_read_the_flow_before_a_save_does_not_undo_it_in_the_draft(
        self, app: FastAPI, resources: Resources, draft: OpenDraft, flow: str
    ) -> None:
        stale = await resources.db.ask(lambda connection: FlowRows(connection).find(flow, "tnt_acme"))
        assert stale is not None
        await draft.put(draft.relabelled("Saved"))

        await app.state.rooms.follower.load(stale)

        assert await draft.state() == ("1.0.1", 2)

    async def test_a_version_with_too_many_parts_is_saved_but_not_edited_together(
        self, draft: OpenDraft, echo: Json
    ) -> None:
        await draft.type("Typed")

        await draft.put({**echo, "extra": [0] * 500_000})
        answers = [
            await draft.get(),
            await draft.post("save"),
            await draft.post("discard"),
        ]
        await draft.put(draft.relabelled("Saved"))

        assert [refused(answer) for answer in answers] == [(413, "draft_too_large")] * 3
        assert labels((await draft.read())["content"])[:2] == ["Typed", "Saved"]


class TestSaving:
    async def test_it_becomes_a_version_with_author_and_message(
        self, api: httpx.AsyncClient, people: People, draft: OpenDraft, flow: str
    ) -> None:
        await draft.type("Typed")

        answer = await draft.post("save", people.alice.headers, {"message": "Together"})

        assert (answer.status_code, answer.json()["version"]) == (200, "1.0.1")
        assert labels(answer.json()["content"])[0] == "Typed"
        versions = (await api.get(f"/flows/{flow}/versions", headers=people.bob.headers)).json()
        assert (versions[0]["author_id"], versions[0]["message"]) == ("usr_alice", "Together")
        read = await api.get(f"/flows/{flow}", headers=people.bob.headers)
        assert read.headers["ETag"] == answer.headers["ETag"]
        assert ((await draft.read())["diff"]["equal"], (await draft.state())[0]) == (True, "1.0.1")
        (row,) = await log_of(api, people.alice.headers, action="flow.updated")
        assert row["details"]["draft"] == (await draft.canvas.row()).epoch

    async def test_a_condition_is_about_the_flow_as_for_every_other_change(
        self, api: httpx.AsyncClient, people: People, draft: OpenDraft, flow: str
    ) -> None:
        headers = people.bob.headers
        seen = (await api.get(f"/flows/{flow}", headers=headers)).headers["ETag"]
        await draft.put(draft.relabelled("Saved"))

        stale = await draft.post("save", {**headers, "If-Match": seen})
        anyhow = await draft.post("save", {**headers, "If-Match": "*"})
        fresh = await draft.post("save", {**headers, "If-Match": anyhow.headers["ETag"]})

        assert refused(stale) == (412, "version_conflict")
        assert stale.json()["detail"]["current_version"] == "1.0.1"
        assert [answer.json()["version"] for answer in (anyhow, fresh)] == ["1.0.2", "1.0.3"]

    @pytest.mark.usefixtures("somebody_saves_meanwhile")
    async def test_a_condition_that_ends_on_the_way_is_not_merged_over(
        self, api: httpx.AsyncClient, people: People, draft: OpenDraft, flow: str
    ) -> None:
        headers = people.bob.headers
        seen = (await api.get(f"/flows/{flow}", headers=headers)).headers["ETag"]

        answer = await draft.post("save", {**headers, "If-Match": seen})

        assert refused(answer) == (412, "version_conflict")
        assert await numbers(api, headers, flow) == ["1.0.1", "1.0.0"]

    @pytest.mark.usefixtures("somebody_saves_meanwhile")
    async def test_what_others_save_meanwhile_is_in_the_version(
        self, api: httpx.AsyncClient, people: People, draft: OpenDraft, flow: str
    ) -> None:
        await draft.type("Typed")

        answer = await draft.post("save")

        assert labels(answer.json()["content"])[:2] == ["Typed", "Saved"]
        assert await numbers(api, people.bob.headers, flow) == ["1.0.2", "1.0.1", "1.0.0"]

    @pytest.mark.usefixtures("somebody_undoes_meanwhile")
    async def test_what_is_undone_meanwhile_stays_undone(self, draft: OpenDraft, echo: Json) -> None:
        """What the version has is in the draft's past: to merge it would bring back what was taken away since."""
        draft.canvas.flow["nodes"]["added"] = Map(ADDED | {"position": Map({"x": 0.0, "y": 0.0})})
        await draft.type("Typed")

        answer = await draft.post("save")

        assert labels(answer.json()["content"]) == ["Typed", echo["nodes"][1]["label"], "Added"]
        assert labels((await draft.read())["content"]) == [node["label"] for node in echo["nodes"]]
        assert (await draft.state())[0] == "1.0.1"

    async def test_a_draft_that_is_begun_anew_meanwhile_gets_what_was_saved_of_the_old_one(
        self, draft: OpenDraft, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = DraftReader.read_sound

        async def read_and_discard(self: DraftReader, of: Any) -> Draft:
            found = await read(self, of)
            assert (await draft.post("discard")).status_code == 200
            return found

        monkeypatch.setattr(DraftReader, "read_sound", read_and_discard)
        await draft.type("Typed")

        answer = await draft.post("save")

        assert (answer.status_code, answer.json()["version"]) == (200, "1.0.1")
        assert labels((await draft.read())["content"])[0] == "Typed"
        assert (await draft.state())[0] == "1.0.1"

    async def test_an_idempotency_key_makes_one_version(
        self, api: httpx.AsyncClient, people: People, draft: OpenDraft, flow: str
    ) -> None:
        headers = {**people.bob.headers, "Idempotency-Key": "save-1"}

        answers = [await draft.post("save", headers) for _ in range(2)]

        assert [answer.json()["version"] for answer in answers] == ["1.0.1"] * 2
        assert await numbers(api, people.bob.headers, flow) == ["1.0.1", "1.0.0"]

    async def test_a_deleted_flow_has_no_draft(
        self, api: httpx.AsyncClient, people: People, draft: OpenDraft, flow: str
    ) -> None:
        headers = people.bob.headers
        await api.delete(f"/flows/{flow}", headers=headers)

        gone = await draft.post("save")
        await api.post(f"/flows/{flow}/restore", headers=headers)

        assert refused(gone) == (404, "flow_not_found")
        assert (await draft.read())["epoch"] == (await draft.canvas.row()).epoch


class TestDiscarding:
    async def test_all_that_is_not_saved_is_gone_and_everybody_is_told(
        self, api: httpx.AsyncClient, people: People, resources: Resources, draft: OpenDraft, flow: str
    ) -> None:
        heard: list[bytes] = []
        resources.announcements.subscribe(topic_of("tnt_acme", flow), heard.append)
        await draft.type("Typed")
        old = (await draft.canvas.row()).epoch
        await draft.put(draft.relabelled("Saved"))
        heard.clear()

        answer = await draft.post("discard")

        assert (answer.status_code, answer.json()["base_version"], len(heard)) == (200, "1.0.1", 1)
        assert answer.json()["epoch"] == (await draft.canvas.row()).epoch != old
        found = await draft.read()
        assert (found["diff"]["equal"], labels(found["content"])[1]) == (True, "Saved")
        assert await draft.state() == ("1.0.1", 1)
        (row,) = await log_of(api, people.alice.headers, action="draft.discarded")
        assert (row["actor_id"], row["details"]["discarded"]) == ("usr_bob", old)

    async def test_two_at_once_discard_it_once(
        self, api: httpx.AsyncClient, people: People, draft: OpenDraft
    ) -> None:
        answers = await asyncio.gather(*(draft.post("discard") for _ in range(3)))

        rows = await log_of(api, people.alice.headers, action="draft.discarded")
        assert {answer.status_code for answer in answers} == {200}
        assert rows[-1]["details"]["epoch"] == (await draft.canvas.row()).epoch
        discarded = [row["details"]["discarded"] for row in rows]
        assert len(discarded) == len(set(discarded))
