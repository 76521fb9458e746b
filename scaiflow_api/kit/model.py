"""Models that pydantic's core checks, without pydantic: for documents, and for who must start fast.

pydantic reads what a class says about its fields, and its core (`pydantic_core`, in Rust) checks values. Loading the
former takes longer than all the rest of `scaiflow validate` (ADR 6), so these tell the core themselves. What is
found, in which words, and the JSON Schema are the same. What requests bring are models of pydantic.

    class Entry(Model):
        role: Annotated[str, Must(pattern="^[a-z]+$")]
        tags: list[str] = fresh(list)

    Entry.model_validate({"role": "fast"})
"""

from collections.abc import Callable, Mapping
from functools import cache
from inspect import get_annotations
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    Self,
    TypeVar,
    Union,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
)

from pydantic_core import CoreConfig, CoreSchema, SchemaSerializer, SchemaValidator, core_schema

T = TypeVar("T")

JSON_SCHEMA = "json_schema"
"""Where a schema of the core tells what a JSON Schema shall say instead."""


class Mark:
    """What `Annotated` adds to a type."""

    def applied(self, schema: CoreSchema) -> CoreSchema:
        """Return the schema of the type with it."""
        return schema


class Alias(Mark):
    """The key of a field in a document, where that cannot be the name of an attribute."""

    def __init__(self, key: str) -> None:
        self.key = key


class Must(Mark):
    """Bounds of a type, by the names that the core has for them: `ge`, `le`, `min_length`, `pattern`."""

    def __init__(self, **bounds: Any) -> None:
        self.bounds = bounds

    def applied(self, schema: CoreSchema) -> CoreSchema:
        return cast("CoreSchema", {**schema, **self.bounds})


class After(Mark):
    """A function that a value goes through when it has its type. It raises ValueError for one that is wrong."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def applied(self, schema: CoreSchema) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.function, schema)


class Before(After):
    """A function that makes of a value what its type is checked of."""

    def applied(self, schema: CoreSchema) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.function, schema)


class Shown(Mark):
    """What a JSON Schema says instead of what it would say by itself."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema

    def applied(self, schema: CoreSchema) -> CoreSchema:
        return cast("CoreSchema", {**schema, "metadata": {JSON_SCHEMA: self.schema}})


class _Fresh(NamedTuple):
    make: Callable[[], Any]


def fresh(make: Callable[[], T]) -> T:
    """Return the default of a field for which each model gets its own list or dictionary."""
    default: Any = _Fresh(make)
    return default  # type: ignore[no-any-return]


_REQUIRED = object()


class ModelField(NamedTuple):
    """One field of a model."""

    annotation: Any
    given_default: Any

    @property
    def alias(self) -> str | None:
        marks = get_args(self.annotation) if get_origin(self.annotation) is Annotated else ()
        return next((mark.key for mark in marks if isinstance(mark, Alias)), None)

    @property
    def default(self) -> Any:
        """What the field is where nothing is given. Nothing of use where it is required."""
        given = self.given_default
        return given.make() if isinstance(given, _Fresh) else given

    def is_required(self) -> bool:
        return self.given_default is _REQUIRED

    def schema(self) -> core_schema.ModelField:
        inner, given, alias = _schema_of(self.annotation), self.given_default, self.alias
        if isinstance(given, _Fresh):
            inner = core_schema.with_default_schema(inner, default_factory=given.make)
        elif given is not _REQUIRED:
            inner = core_schema.with_default_schema(inner, default=given)
        return core_schema.model_field(inner, validation_alias=alias, serialization_alias=alias)


@dataclass_transform(kw_only_default=True, frozen_default=True)
class _ModelType(type):
    """Collects the fields of a class from its annotations. Their defaults are no attributes of the class."""

    model_fields: Mapping[str, ModelField]

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        own = {
            name: ModelField(annotation, namespace.get(name, _REQUIRED))
            for name, annotation in get_annotations(cls).items()
        }
        for name in own.keys() & namespace.keys():
            delattr(cls, name)
        inherited = (base.model_fields for base in bases if isinstance(base, _ModelType))
        cls.model_fields = {**next(inherited, {}), **own}


class _Places:
    """Where the core puts what it has checked."""

    __slots__ = ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__")

    __pydantic_extra__: dict[str, Any]
    __pydantic_fields_set__: set[str]


class Model(_Places, metaclass=_ModelType):
    """A value with typed fields. It takes exactly those types, keeps unknown keys, and does not change.

    Of unions it knows those with None. A model cannot hold its like.
    """

    def __init__(self, **values: Any) -> None:
        _validator(type(self)).validate_python(values, self_instance=self)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} does not change")

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({fields})"

    def check(self) -> None:
        """Raise ValueError where fields, each sound by itself, do not go together."""

    @classmethod
    def model_validate(cls, value: object) -> Self:
        """Return the model of a JSON object. Raises ValidationError, which tells all that is wrong."""
        model: Self = _validator(cls).validate_python(value)
        return model

    @property
    def model_extra(self) -> dict[str, Any]:
        """The keys that are no fields, and what they hold."""
        return self.__pydantic_extra__

    @property
    def model_fields_set(self) -> set[str]:
        """The fields that were given, and the keys that are none."""
        return self.__pydantic_fields_set__

    def model_dump(
        self,
        *,
        include: set[str] | None = None,
        exclude_unset: bool = False,
        exclude_none: bool = False,
    ) -> dict[str, Any]:
        """Return the model as a JSON object."""
        found: dict[str, Any] = _serializer(type(self)).to_python(
            self,
            mode="json",
            include=include,
            by_alias=True,
            exclude_unset=exclude_unset,
            exclude_none=exclude_none,
        )
        return found


def core_schema_of(model: type[Model]) -> CoreSchema:
    """Return what a model is, in the words of the core."""
    fields = core_schema.model_fields_schema(
        {name: field.schema() for name, field in model.model_fields.items()}, model_name=model.__name__
    )
    config = CoreConfig(
        title=model.__name__, strict=True, extra_fields_behavior="allow", validate_by_name=True
    )
    ref = f"{model.__module__}.{model.__qualname__}:{id(model)}"
    schema: CoreSchema = core_schema.model_schema(model, fields, config=config, ref=ref)
    return schema if model.check is Model.check else After(_checked).applied(schema)


def _checked(model: Model) -> Model:
    model.check()
    return model


_PLAIN: Mapping[Any, Callable[[], CoreSchema]] = {
    str: core_schema.str_schema,
    int: core_schema.int_schema,
    float: core_schema.float_schema,
    bool: core_schema.bool_schema,
    Any: core_schema.any_schema,
}


def _schema_of(declared: Any) -> CoreSchema:
    origin: Any = get_origin(declared)
    arguments = get_args(declared)
    if origin is Annotated:
        schema = _schema_of(declared.__origin__)
        for mark in declared.__metadata__:
            schema = mark.applied(schema)
        return schema
    if (origin is Union or origin is UnionType) and len(arguments) == 2 and NoneType in arguments:
        return core_schema.nullable_schema(_schema_of(arguments[arguments[0] is NoneType]))
    if origin is Literal:
        return core_schema.literal_schema(list(arguments))
    if origin is list:
        return core_schema.list_schema(_schema_of(arguments[0]))
    if origin is dict:
        return core_schema.dict_schema(*map(_schema_of, arguments))
    if isinstance(declared, type) and issubclass(declared, Model):
        return core_schema_of(declared)
    if declared in _PLAIN:
        return _PLAIN[declared]()
    raise TypeError(f"no field of a model is {declared!r}")


@cache
def _validator(model: type[Model]) -> SchemaValidator:
    return SchemaValidator(core_schema_of(model))


@cache
def _serializer(model: type[Model]) -> SchemaSerializer:
    return SchemaSerializer(core_schema_of(model))
