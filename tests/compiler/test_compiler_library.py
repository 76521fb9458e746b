"""The compiler as a library: what others import is typed and documented."""

import inspect
from importlib.resources import files

import pytest

from scaiflow_api import compiler


def test_type_checkers_of_others_read_the_types() -> None:
    assert files("scaiflow_api").joinpath("py.typed").is_file()


@pytest.mark.parametrize("name", [name for name in compiler.__all__ if name != "FORMATS"])
def test_a_public_name_says_what_it_is(name: str) -> None:
    public = getattr(compiler, name)

    assert inspect.getdoc(public)
    if inspect.isfunction(public):
        signature = inspect.signature(public)
        annotations = [
            signature.return_annotation,
            *(item.annotation for item in signature.parameters.values()),
        ]
        assert inspect.Signature.empty not in annotations


def test_a_name_that_is_not_there_is_missed_like_any_other() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'compile_flows'"):
        compiler.compile_flows  # noqa: B018
