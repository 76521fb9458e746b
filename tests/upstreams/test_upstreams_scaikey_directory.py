"""ScaiKey's lists: every envelope and every way to end one, the service's own token, rows under their many names."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import respx
from pydantic import SecretStr

from scaiflow_api.settings import ScaiKey as ScaiKeySettings
from scaiflow_api.upstreams.base import Policy
from scaiflow_api.upstreams.failures import UpstreamNonsense, UpstreamRejected
from scaiflow_api.upstreams.scaikey import DISCOVERY_PATH, ScaiKey
from scaiflow_api.upstreams.scaikey_directory import ScaiKeyDirectory
from scaiflow_api.upstreams.scaikey_pages import PER_PAGE
from scaiflow_api.upstreams.scaikey_rows import DirectoryGroup, DirectoryUser, read_member, read_user

KEY = "https://key.test/scaikey"
GROUPS = f"{KEY}/api/v1/admin/groups/"
Json = dict[str, Any]


class Wire:
    """A ScaiKey that hands out tokens, and lists rows in an envelope of choice."""

    def __init__(self, router: respx.MockRouter) -> None:
        self.tokens: list[str] = []
        self.bearers: list[str] = []
        self.pages: list[tuple[int, int]] = []
        self.refuse: Callable[[str], int | None] = lambda _: None
        self.rows: list[Any] = []
        self.envelope: Callable[[list[Any], int, int, int], Any] = lambda rows, *_: rows
        self.largest = 1000
        document = {"issuer": KEY, "jwks_uri": f"{KEY}/jwks", "token_endpoint": f"{KEY}/token"}
        router.get(KEY + DISCOVERY_PATH).respond(json=document)
        router.post(f"{KEY}/token").mock(side_effect=self._token)
        self.list = router.get(url__startswith=f"{KEY}/api/v1/").mock(side_effect=self._list)

    def _token(self, request: httpx.Request) -> httpx.Response:
        assert b"grant_type=client_credentials" in request.content
        self.tokens.append(f"tok-{len(self.tokens) + 1}")
        return httpx.Response(200, json={"access_token": self.tokens[-1], "expires_in": 3600})

    def _list(self, request: httpx.Request) -> httpx.Response:
        bearer = request.headers["Authorization"].removeprefix("Bearer ")
        self.bearers.append(bearer)
        status = self.refuse(bearer)
        if status is not None:
            return httpx.Response(status, json={"detail": "no"})
        page, per_page = int(request.url.params["page"]), int(request.url.params["per_page"])
        self.pages.append((page, per_page))
        size = min(per_page, self.largest)
        rows = self.rows[(page - 1) * size : page * size]
        return httpx.Response(200, json=self.envelope(rows, page, size, len(self.rows)))


@pytest.fixture
def wire(respx_mock: respx.MockRouter) -> Wire:
    return Wire(respx_mock)


@pytest.fixture
def directory(http: httpx.AsyncBaseTransport, scaikey: ScaiKey, impatient: Policy) -> ScaiKeyDirectory:
    settings = ScaiKeySettings(
        _env_file=None, base_url=KEY, client_id="scaiflow", client_secret=SecretStr("s3cret&")
    )
    return ScaiKeyDirectory(http, settings, scaikey, policy=impatient)


def some_groups(count: int) -> list[Json]:
    return [{"id": f"grp_{number}", "tenant_id": "tnt_a", "name": f"G {number}"} for number in range(count)]


async def listed(directory: ScaiKeyDirectory) -> list[str]:
    return [group.id async for page in directory.groups() for group in page]


ENVELOPES: dict[str, Callable[[list[Any], int, int, int], Any]] = {
    "a bare list": lambda rows, *_: rows,
    "items with a total": lambda rows, page, size, total: {"items": rows, "total": total, "page": page},
    "a total without paging": lambda rows, page, size, total: {"groups": rows, "total": total},
    "PaginatedResponse": lambda rows, page, size, total: {
        "data": rows,
        "pagination": {"page": page, "per_page": size, "total": total},
        "meta": {},
    },
    "numbered pages": lambda rows, page, size, total: {
        "data": rows,
        "pagination": {"page": page, "total_pages": -(-total // size)},
    },
    "ScaiGrid's": lambda rows, page, size, total: {
        "data": {"items": rows, "has_more": page * size < total},
    },
    "numbers in meta": lambda rows, page, size, total: {"results": rows, "meta": {"total": total}},
    "only the size of a page": lambda rows, page, size, total: {"items": rows, "page_size": size},
}


@pytest.mark.parametrize("largest", [1000, 40])
@pytest.mark.parametrize("count", [0, 1, PER_PAGE - 1, PER_PAGE, PER_PAGE + 1, 3 * PER_PAGE])
@pytest.mark.parametrize("envelope", ENVELOPES)
async def test_every_envelope_is_read_to_its_end(
    directory: ScaiKeyDirectory, wire: Wire, envelope: str, count: int, largest: int
) -> None:
    wire.rows, wire.envelope, wire.largest = some_groups(count), ENVELOPES[envelope], largest

    assert await listed(directory) == [row["id"] for row in wire.rows]


async def test_a_list_that_takes_no_notice_of_pages_is_read_once(
    directory: ScaiKeyDirectory, wire: Wire
) -> None:
    rows = some_groups(250)
    wire.envelope = lambda *_: rows

    assert len(await listed(directory)) == 250


async def test_counted_lists_cost_no_page_too_many(directory: ScaiKeyDirectory, wire: Wire) -> None:
    wire.rows, wire.envelope = some_groups(PER_PAGE), ENVELOPES["PaginatedResponse"]
    await listed(directory)

    assert wire.pages == [(1, PER_PAGE)]


@pytest.mark.parametrize("body", [{"message": "hello"}, "text", 7, {"data": {"data": {"data": {}}}}, None])
async def test_what_is_no_list_is_nonsense(directory: ScaiKeyDirectory, wire: Wire, body: Any) -> None:
    wire.envelope = lambda *_: body

    with pytest.raises(UpstreamNonsense):
        await listed(directory)


async def test_a_list_without_end_ends(
    directory: ScaiKeyDirectory, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scaiflow_api.upstreams.scaikey_pages._MOST_PAGES", 20)
    wire.envelope = lambda _rows, page, *_: {"items": some_groups(page), "has_more": True}

    with pytest.raises(UpstreamNonsense, match="scaikey"):
        await listed(directory)


async def test_rows_that_cannot_be_used_are_left_out(directory: ScaiKeyDirectory, wire: Wire) -> None:
    wire.rows = [
        *([7, None, {}, {"id": "grp_a"}, {"id": "../x", "tenant_id": "tnt_a"}]),
        *(
            [
                {"id": ["x"], "tenant_id": "tnt_a"},
                {"id": "grp_ok", "tenant": {"id": "tnt_a"}, "name": " A\0b\n"},
            ]
        ),
    ]

    assert [group async for page in directory.groups() for group in page] == [
        DirectoryGroup("tnt_a", "grp_ok", "Ab")
    ]


async def test_one_token_serves_until_it_is_refused(directory: ScaiKeyDirectory, wire: Wire) -> None:
    wire.rows = some_groups(1)
    await listed(directory)
    await listed(directory)
    assert wire.tokens == ["tok-1"]

    wire.refuse = lambda bearer: 401 if bearer == "tok-1" else None
    assert await listed(directory) == ["grp_0"]
    assert wire.tokens == ["tok-1", "tok-2"]


async def test_a_token_is_renewed_before_it_ends(
    directory: ScaiKeyDirectory, scaikey: ScaiKey, wire: Wire, clock: Any
) -> None:
    assert (await scaikey.service_token()).get_secret_value() == "tok-1"
    clock.advance(3600 - 61)
    assert (await scaikey.service_token()).get_secret_value() == "tok-1"
    clock.advance(2)
    assert (await scaikey.service_token()).get_secret_value() == "tok-2"
    assert "tok-" not in repr(await scaikey.service_token())


@pytest.mark.parametrize(("status", "tokens"), [(401, 2), (403, 1), (404, 1)])
async def test_a_refusal_that_stays_is_told(
    directory: ScaiKeyDirectory, wire: Wire, status: int, tokens: int
) -> None:
    wire.refuse = lambda _: status

    with pytest.raises(UpstreamRejected) as refusal:
        await listed(directory)

    assert refusal.value.status == status
    assert len(wire.tokens) == tokens


async def test_the_lists_are_where_scaikey_says(directory: ScaiKeyDirectory, wire: Wire) -> None:
    group = DirectoryGroup("tnt_a", "grp:1")
    for pages in (directory.tenants(), directory.effective_users("tnt_a"), directory.members(group)):
        async for _ in pages:
            pass

    assert [call.request.url.raw_path.decode().partition("?")[0] for call in wire.list.calls] == [
        "/scaikey/api/v1/admin/tenants/",
        "/scaikey/api/v1/tenants/tnt_a/applications/me/effective-users",
        "/scaikey/api/v1/admin/groups/grp%3A1/members",
    ]


@pytest.mark.parametrize(
    ("row", "user"),
    [
        (
            {
                "id": "usr_1",
                "tenant_id": "tnt_a",
                "email": "a@b.c",
                "display_name": "A B",
                "status": "active",
            },
            DirectoryUser("tnt_a", "usr_1", "a@b.c", "A B", "ACTIVE"),
        ),
        (
            {"user_id": "usr_1", "tenant": {"id": "tnt_a"}, "first_name": "A", "last_name": "B"},
            DirectoryUser("tnt_a", "usr_1", None, "A B", None),
        ),
        (
            {"id": "usr_1", "tenant_id": "tnt_a", "name": "x" * 300},
            DirectoryUser("tnt_a", "usr_1", None, "x" * 200),
        ),
        ({"id": "usr_1", "tenant_id": "tnt_a", "status": "';--"}, DirectoryUser("tnt_a", "usr_1")),
        ({"id": "usr_1"}, None),
        ({"tenant_id": "tnt_a"}, None),
        ({"id": 7, "tenant_id": "tnt_a"}, None),
        ({"id": "usr_1", "tenant_id": "a/b"}, None),
    ],
)
def test_people_are_read_under_whichever_names(row: Json, user: DirectoryUser | None) -> None:
    assert read_user(row) == user


@pytest.mark.parametrize(
    ("row", "user_id", "child_id", "direct"),
    [
        ({"user_id": "usr_1", "membership_type": "DIRECT"}, "usr_1", None, True),
        ({"user_id": "usr_1", "membership_type": "INHERITED"}, "usr_1", None, False),
        ({"id": "usr_1"}, "usr_1", None, True),
        ({"member_type": "user", "member_id": "usr_1"}, "usr_1", None, True),
        ({"member_type": "group", "member_id": "grp_2"}, None, "grp_2", True),
        ({"member_type": "group", "group_id": "grp_2"}, None, "grp_2", True),
        ({"group_id": "grp_2", "name": "Inner"}, None, "grp_2", True),
        ({"group_id": "grp_1", "user_id": "usr_1"}, "usr_1", None, True),
    ],
)
def test_members_are_people_or_groups(
    row: Json, user_id: str | None, child_id: str | None, direct: bool
) -> None:
    member = read_member(row, DirectoryGroup("tnt_a", "grp_1"))

    assert member is not None
    assert (member.user and member.user.id, member.child_id, member.direct) == (user_id, child_id, direct)
