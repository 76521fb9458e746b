"""SCAIFLOW_REQUIRE_IF_MATCH: a server that changes flows only from a state that the caller names."""

import httpx
import pytest
from api_flow_calls import Json, numbers
from api_refusals import refused
from people import People

from scaiflow_api.settings import Api, Environment, Settings

CHANGES = [
    ("PUT", "", {"name": "x"}),
    ("PUT", "", {"content": {}}),
    ("DELETE", "", None),
    ("DELETE", "?undeploy=true", None),
    ("POST", "/versions/1.0.0/restore", None),
]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"api": Api(env=Environment.DEVELOPMENT, require_if_match=True)})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        *CHANGES,
        ("POST", "/draft/save", None),
        ("POST", "/draft/discard", None),
        ("POST", "/transfer", {"owner_id": "usr_erin"}),
    ],
)
async def test_a_change_without_a_condition_is_refused(
    api: httpx.AsyncClient, people: People, flow: str, method: str, path: str, body: Json | None
) -> None:
    headers = people.bob.headers
    before = await api.get(f"/flows/{flow}", headers=headers)

    answer = await api.request(method, f"/flows/{flow}{path}", json=body, headers=headers)

    assert refused(answer) == (428, "precondition_required")
    assert "If-Match" in answer.json()["detail"]["fix"]
    after = await api.get(f"/flows/{flow}", headers=headers)
    assert (after.json(), after.headers["etag"]) == (before.json(), before.headers["etag"])


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
@pytest.mark.parametrize("condition", ["tag", "*"])
async def test_with_one_it_is_made(
    api: httpx.AsyncClient,
    people: People,
    flow: str,
    echo: Json,
    method: str,
    path: str,
    body: Json | None,
    condition: str,
) -> None:
    headers = people.bob.headers
    tag = (await api.get(f"/flows/{flow}", headers=headers)).headers["etag"] if condition == "tag" else "*"
    sent = {"content": echo} if body and "content" in body else body

    answer = await api.request(
        method, f"/flows/{flow}{path}", json=sent, headers={**headers, "If-Match": tag}
    )

    assert answer.status_code in {200, 204}, answer.text


async def test_it_tells_nothing_of_flows_that_are_hidden(
    api: httpx.AsyncClient, people: People, flow: str
) -> None:
    for flow_id in (flow, "flow_unknown"):
        answer = await api.put(f"/flows/{flow_id}", json={"name": "x"}, headers=people.dave.headers)
        assert refused(answer) == (428, "precondition_required")
        answer = await api.put(
            f"/flows/{flow_id}", json={"name": "x"}, headers={**people.dave.headers, "If-Match": "*"}
        )
        assert refused(answer) == (404, "flow_not_found")


async def test_what_changes_nothing_that_somebody_may_have_seen_needs_none(
    api: httpx.AsyncClient, people: People, flow: str
) -> None:
    headers = people.bob.headers
    assert (await api.post(f"/flows/{flow}/duplicate", headers=headers)).status_code == 201
    await api.delete(f"/flows/{flow}", headers={**headers, "If-Match": "*"})
    assert (await api.post(f"/flows/{flow}/restore", headers=headers)).status_code == 200
    assert await numbers(api, headers, flow) == ["1.0.0"]


def test_if_match_is_not_required_by_default() -> None:
    assert not Settings().api.require_if_match
