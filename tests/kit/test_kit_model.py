"""Our models, against pydantic: what is found, in which words, and what is kept."""

import copy
from functools import cache
from pathlib import Path
from random import Random
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import orjson
import pytest
from compiler.compiler_mutations import mutate
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    create_model,
    model_validator,
)
from pydantic_core import ValidationError

from scaiflow_api.compiler.kinds import KINDS
from scaiflow_api.flowgraph import FlowGraph
from scaiflow_api.kit.model import After, Alias, Before, Mark, Model, Must, fresh

EXAMPLES = [
    orjson.loads(path.read_bytes())
    for path in sorted((Path(__file__).parents[2] / "examples").glob("*.flow.json"))
]


class Entry(Model):
    role: Annotated[str, Must(pattern="^[a-z]+$")]
    tags: list[str] = fresh(list)
    limit: Annotated[int, Must(ge=1)] | None = None
    validation: Annotated[str | None, Alias("validate")] = None


class Named(Entry):
    name: str = "none"

    def check(self) -> None:
        if self.name == self.role:
            raise ValueError("a name is not a role")


@cache
def of_pydantic(model: type[Model]) -> type[BaseModel]:
    """Return the same model as pydantic would have it."""

    def check(made: Any) -> Any:
        model.check(made)
        return made

    fields: dict[str, Any] = {
        name: (
            _annotation(field.annotation),
            Field() if field.is_required() else Field(default_factory=lambda field=field: field.default),
        )
        for name, field in model.model_fields.items()
    }
    made = create_model(
        model.__name__,
        __config__=ConfigDict(strict=True, extra="allow", populate_by_name=True),
        __validators__={} if model.check is Model.check else {"check": model_validator(mode="after")(check)},
        **fields,
    )
    for cls in model.__mro__[: model.__mro__.index(Model)]:
        for name, value in vars(cls).items():
            if isinstance(value, property):
                setattr(made, name, value)
    return made


def _annotation(declared: Any) -> Any:
    origin: Any = get_origin(declared)
    if origin is Annotated:
        return Annotated[(_annotation(declared.__origin__), *map(_mark, declared.__metadata__))]
    if origin is Union or origin is UnionType:
        (member,) = (part for part in get_args(declared) if part is not NoneType)
        return _annotation(member) | None
    if origin in (list, dict):
        return origin[tuple(map(_annotation, get_args(declared)))]
    return of_pydantic(declared) if isinstance(declared, type) and issubclass(declared, Model) else declared


def _mark(mark: Mark) -> Any:
    match mark:
        case Alias():
            return Field(alias=mark.key)
        case Must():
            return Field(**mark.bounds)
        case Before():
            return BeforeValidator(mark.function)
        case After():
            return AfterValidator(mark.function)
    return None


def outcome(model: type[Model] | type[BaseModel], value: Any) -> Any:
    try:
        made = model.model_validate(value)
    except ValidationError as error:
        return [(item["loc"], item["type"], item["msg"]) for item in error.errors()]
    if isinstance(made, Model):
        return made.model_dump(exclude_unset=True), made.model_fields_set
    return made.model_dump(
        mode="json", by_alias=True, exclude_unset=True, warnings=False
    ), made.model_fields_set


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(EXAMPLES), st.integers(0, 2**32), st.integers(0, 4))
def test_pydantic_finds_the_same_in_documents(document: Any, seed: int, changes: int) -> None:
    document, rng = copy.deepcopy(document), Random(seed)
    for _ in range(changes):
        mutate(document, rng.randrange, EXAMPLES)

    assert outcome(FlowGraph, document) == outcome(of_pydantic(FlowGraph), document)
    nodes = document.get("nodes")
    for node in nodes if isinstance(nodes, list) else ():
        if isinstance(node, dict) and node.get("type") in map(str, KINDS):
            model = KINDS[node["type"]].config
            config = node.get("config", {})
            assert outcome(model, config) == outcome(of_pydantic(model), config)


@pytest.mark.parametrize("kind", KINDS)
def test_pydantic_finds_the_same_in_wrong_configurations(kind: str) -> None:
    model = KINDS[kind].config
    peer = of_pydantic(model)

    for wrong in (None, True, -1, 0.5, "", "{{", [], [[]], [None], {}, {"": ""}, [{"type": "input"}]):
        for name, field in model.model_fields.items():
            value = {field.alias or name: wrong}
            assert outcome(model, value) == outcome(peer, value)


def test_a_model_is_made_by_its_fields_or_from_a_document() -> None:
    made = Named(role="fast", name="x")
    read = Named.model_validate({"role": "fast", "name": "x", "more": 1, "validate": "yes"})

    assert (made.role, made.name, made.tags, made.limit) == ("fast", "x", [], None)
    assert (read.validation, read.model_extra) == ("yes", {"more": 1})
    assert read.model_fields_set == {"role", "name", "validation", "more"}
    assert read.model_dump() == {
        "role": "fast", "tags": [], "limit": None, "validate": "yes", "name": "x", "more": 1
    }  # fmt: skip
    assert repr(made) == "Named(role='fast', tags=[], limit=None, validation=None, name='x')"


def test_a_model_does_not_change_and_shares_no_default() -> None:
    first, second = Entry(role="a"), Entry(role="b")

    first.tags.append("x")

    assert second.tags == []
    with pytest.raises(AttributeError, match="does not change"):
        first.role = "c"  # type: ignore[misc]


def test_fields_that_do_not_go_together_are_found() -> None:
    with pytest.raises(ValidationError, match="a name is not a role"):
        Named(role="x", name="x")


def test_a_type_that_no_model_can_hold_is_told_when_the_model_is_used() -> None:
    class Odd(Model):
        either: int | str

    class Unknown(Model):
        path: Path

    for model in (Odd, Unknown):
        with pytest.raises(TypeError, match="no field of a model is"):
            model.model_validate({})
