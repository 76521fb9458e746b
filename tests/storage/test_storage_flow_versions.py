import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaiflow_api.storage.flow_versions import FlowVersions, StoredVersionMissing, VersionTaken
from scaiflow_api.storage.keys import check_key
from scaiflow_api.storage.memory import MemoryBlobs
from scaiflow_api.storage.packages import PackageFiles

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
versions = st.from_regex(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(-[a-z.]{1,5})?(\+[a-z.]{1,5})?", fullmatch=True)


@pytest.mark.parametrize(
    ("tenant", "flow", "version", "key"),
    [
        ("tnt_acme", "flow_abc123", "1.0.0", "flows/tnt_acme/flow_abc123/v1.0.0.flow.json"),
        ("Acme.Com", "F-1_x", "1.0.0-rc.1", "flows/Acme.Com/F-1_x/v1.0.0-rc.1.flow.json"),
        ("a/b", "..", "1.0.0+b1", "flows/a%2Fb/%2E%2E/v1.0.0%2Bb1.flow.json"),
        ("ü~%", ".", "1.0.0", "flows/%C3%BC%7E%25/%2E/v1.0.0.flow.json"),
    ],
)
def test_a_version_has_the_documented_key(tenant: str, flow: str, version: str, key: str) -> None:
    assert FlowVersions.KEYS.of(tenant, flow, version) == key


@settings(max_examples=50)
@given(st.tuples(ids, ids, versions), st.tuples(ids, ids, versions))
def test_two_versions_share_a_key_only_when_they_are_the_same(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert (FlowVersions.KEYS.of(*one) == FlowVersions.KEYS.of(*other)) == (one == other)


@given(ids, ids, versions)
def test_every_key_is_legal_and_stays_in_its_tenant(tenant: str, flow: str, version: str) -> None:
    key = FlowVersions.KEYS.of(tenant, flow, version)
    check_key(key)
    assert key.count("/") == 3


@given(ids, ids, versions)
def test_a_key_tells_what_it_is_of(tenant: str, flow: str, version: str) -> None:
    key, package_key = (
        FlowVersions.KEYS.of(tenant, flow, version),
        PackageFiles.KEYS.of(tenant, flow, version),
    )
    assert (
        FlowVersions.KEYS.place_of(key) == (tenant, flow, version) == PackageFiles.KEYS.place_of(package_key)
    )
    assert FlowVersions.KEYS.place_of(package_key) is None is PackageFiles.KEYS.place_of(key)


@pytest.mark.parametrize(
    "key",
    [
        "flows/t/f/v1.0.0.flow.json.bak",
        "flows/t/f/1.0.0.flow.json",
        "flows/t/f/draft",
        "flows/t/v1.0.0.flow.json",
        "flows/t/f/g/v1.0.0.flow.json",
        "backup/flows/t/f/v1.0.0.flow.json",
        "flows/t/f/v1.0.0%2b.flow.json",
        "flows/%74/f/v1.0.0.flow.json",
        "flows/t/f/v%FF.flow.json",
        "flows/a b/f/v1.0.0.flow.json",
        "flows/../f/v1.0.0.flow.json",
        "flows//f/v1.0.0.flow.json",
        "Flows/t/f/v1.0.0.flow.json",
        "flows/t/f/v1.0.0.flow.json\n",
        "",
    ],
)
def test_a_key_that_we_never_make_is_foreign(key: str) -> None:
    assert FlowVersions.KEYS.place_of(key) is None
    foreign = key.replace("flows/", "catalog/").replace(".flow.json", ".scaipkg")
    assert PackageFiles.KEYS.place_of(foreign) is None


async def test_a_version_is_written_once() -> None:
    flows = FlowVersions(MemoryBlobs())
    await flows.write("t", "f", "1.0.0", b"first")
    with pytest.raises(VersionTaken):
        await flows.write("t", "f", "1.0.0", b"first")
    assert (await flows.read("t", "f", "1.0.0")).text == b"first"


async def test_a_discarded_version_can_be_written_again() -> None:
    flows = FlowVersions(MemoryBlobs())
    await flows.write("t", "f", "1.0.0", b"first")
    await flows.write("t", "f", "1.0.1", b"second")
    await flows.discard("t", "f", "1.0.1")
    with pytest.raises(StoredVersionMissing):
        await flows.read("t", "f", "1.0.1")
    await flows.write("t", "f", "1.0.1", b"third")
    assert (await flows.read("t", "f", "1.0.1")).text == b"third"
    assert (await flows.read("t", "f", "1.0.0")).text == b"first"


async def test_tenants_and_flows_do_not_share_versions() -> None:
    flows = FlowVersions(MemoryBlobs())
    places = [("t", "f"), ("t", "g"), ("u", "f")]
    await asyncio.gather(*(flows.write(*place, "1.0.0", repr(place).encode()) for place in places))
    assert [(await flows.read(*place, "1.0.0")).text for place in places] == [
        repr(p).encode() for p in places
    ]


async def test_a_version_without_its_object_is_reported_as_such() -> None:
    with pytest.raises(StoredVersionMissing) as missing:
        await FlowVersions(MemoryBlobs()).read("tnt_acme", "flow_x", "1.2.3")
    assert missing.value.status == 503
    assert missing.value.detail() == {
        "flow_id": "flow_x",
        "version": "1.2.3",
        "error": "version_content_missing",
        "message": "The content of version 1.2.3 of flow 'flow_x' is not in the store.",
        "fix": "Choose another version. The operator may have to restore the store from a backup.",
    }


async def test_a_version_tells_the_name_that_stands_in_it() -> None:
    flows = FlowVersions(MemoryBlobs())
    await flows.write("t", "f", "1.0.0", b'{"nodes":[{"name":"inner"}],"name":"outer"}')
    assert (await flows.read("t", "f", "1.0.0")).name == "outer"


async def test_the_numbers_that_have_an_object_are_listed() -> None:
    flows = FlowVersions(MemoryBlobs())
    for version in ("1.0.0", "1.0.1", "1.0.2-rc.1+b.7"):
        await flows.write("t", "f", version, b"x")
    await flows.write("t", "f2", "1.0.9", b"x")

    assert await flows.numbers("t", "f") == {"1.0.0", "1.0.1", "1.0.2-rc.1+b.7"}
