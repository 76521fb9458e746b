from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaiflow_api.storage.file_names import NameKind, read_name, relative_folder, relative_path
from scaiflow_api.storage.keys import check_key


def is_legal(key: str) -> bool:
    with suppress(ValueError):
        check_key(key)
        return True
    return False


segments = st.one_of(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=90
    ),
    st.text("aA.%+~é", min_size=1, max_size=90),
)
keys = st.lists(segments, min_size=1, max_size=4).map("/".join).filter(is_legal)


def key_of(path: str) -> str:
    """Read a path back the way a listing does."""
    key = b""
    for name in path.split("/"):
        part, kind = read_name(name) or pytest.fail(f"{name!r} is not ours")
        key += part + (b"/" if kind is NameKind.FOLDER else b"")
    return key.decode()


@given(keys)
def test_a_path_is_read_back_as_its_key(key: str) -> None:
    assert key_of(relative_path(key)) == key


@given(keys)
def test_every_name_suits_every_file_system(key: str) -> None:
    for name in relative_path(key).split("/"):
        assert len(name) <= 255
        assert name == name.lower()
        assert name.isascii()
        assert not name.startswith(".")


@given(keys, keys)
def test_no_object_stands_where_another_key_needs_a_folder(one: str, other: str) -> None:
    longer = f"{one}/{other}"
    assert not f"{relative_path(longer)}/".startswith(f"{relative_path(one)}/")


@given(keys, keys)
def test_the_folder_of_a_key_holds_what_is_below_it(one: str, other: str) -> None:
    assert relative_path(f"{one}/{other}") == f"{relative_folder(one)}/{relative_path(other)}"


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("flows/tnt_acme/flow_x/v1.0.0.flow.json", "flows/tnt_acme/flow_x/v1.0.0.flow.json"),
        ("flows/acme.com/Flow/v1.json", "flows/acme%2ecom/%46low/v1.json"),
        ("a", "a%."),
        ("a/b", "a/b%."),
        (".hidden", "%2ehidden%."),
        (".git.config", "%2egit.config"),
        ("50%.x", "50%25.x"),
        ("x" * 80, "x" * 80 + "+/%."),
        ("x" * 80 + "/y", "x" * 80 + "+/%/y%."),
        ("é" * 41 + ".txt", "%c3%a9" * 40 + "+/%c3%a9.txt"),
    ],
)
def test_a_key_has_this_path(key: str, path: str) -> None:
    assert relative_path(key) == path


@pytest.mark.parametrize(
    "name",
    [
        ".incoming",
        ".DS_Store",
        "README",
        "Thumbs.db",
        "lost+found",
        "%61.txt",
        "a%.x",
        "%zz.x",
        "a b.c",
        "x~",
    ],
)
def test_a_name_that_no_key_has_is_not_read(name: str) -> None:
    assert read_name(name) is None
