"""ScaiBunker's list, under either product's names."""

import httpx
import pytest
import respx
from pydantic import SecretStr

from scaiflow_api.upstreams.failures import UpstreamNonsense
from scaiflow_api.upstreams.scaibunker import Bunker, ScaiBunker

BUNKERS = "https://grid.test/v1/modules/scaibunker/bunkers"
OURS = {"bunker_id": "bnk_1", "image_ref": "python-3.12", "lifecycle": "ephemeral", "status": "ready"}
THEIRS = {"id": "bnk_1", "image": "python-3.12", "lifecycle_mode": "ephemeral", "status": "running"}


@pytest.mark.parametrize("row", [OURS, THEIRS], ids=["ScaiFlow's", "ScaiBunker's"])
@pytest.mark.parametrize(
    "wrap", [lambda row: [row], lambda row: {"items": [row]}, lambda row: {"bunkers": [row]}]
)
async def test_a_bunker_has_scaiflows_names(
    respx_mock: respx.MockRouter, scaibunker: ScaiBunker, token: SecretStr, row: dict[str, str], wrap: object
) -> None:
    assert callable(wrap)
    respx_mock.get(BUNKERS).respond(json={"data": wrap(row)})
    assert await scaibunker.bunkers(token) == [Bunker("bnk_1", "python-3.12", "ephemeral", "ready", row)]


async def test_all_pages_are_read_and_rows_without_an_id_left_out(
    respx_mock: respx.MockRouter, scaibunker: ScaiBunker, token: SecretStr
) -> None:
    pages = [
        httpx.Response(200, json={"data": [{**THEIRS, "status": 7}], "has_more": True, "next_cursor": "c2"}),
        httpx.Response(
            200, json={"data": [{"status": "running"}, OURS], "has_more": False, "next_cursor": None}
        ),
    ]
    route = respx_mock.get(BUNKERS).mock(side_effect=pages)
    found = await scaibunker.bunkers(token)
    assert [bunker.status for bunker in found] == [None, "ready"]
    assert [dict(call.request.url.params) for call in route.calls] == [
        {"limit": "100"},
        {"limit": "100", "cursor": "c2"},
    ]


@pytest.mark.parametrize("rows", [1, 0], ids=["full", "empty"])
async def test_a_list_without_an_end_is_left(
    respx_mock: respx.MockRouter, scaibunker: ScaiBunker, token: SecretStr, rows: int
) -> None:
    scaibunker = ScaiBunker(
        scaibunker._http, scaibunker._settings.model_copy(update={"max_rows": 100}), policy=scaibunker._policy
    )
    count = iter(range(10_000))

    def page(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": [OURS] * rows, "next_cursor": str(next(count))})

    route = respx_mock.get(BUNKERS).mock(side_effect=page)
    with pytest.raises(UpstreamNonsense) as caught:
        await scaibunker.bunkers(token)
    assert caught.value.message == "ScaiBunker's list is longer than 100 rows or 100000 bytes."
    assert route.call_count == 101


async def test_the_pages_of_a_list_share_one_bound_of_bytes(
    respx_mock: respx.MockRouter, scaibunker: ScaiBunker, token: SecretStr
) -> None:
    count = iter(range(10_000))

    def page(request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, json={"data": [{**OURS, "name": "n" * 60_000}], "next_cursor": str(next(count))}
        )

    route = respx_mock.get(BUNKERS).mock(side_effect=page)
    with pytest.raises(UpstreamNonsense):
        await scaibunker.bunkers(token)
    assert route.call_count == 2
