"""The keys of a configuration that belong to one kind alone, as plain values; and the way back."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from pydantic.fields import FieldInfo

from scaiflow_api.compiler.kinds.base import JSON, FallibleConfig, NodeConfig

NOTHING: Mapping[str, JSON] = MappingProxyType({})


def own_keys(config: FallibleConfig, fill: Mapping[str, JSON] = NOTHING) -> dict[str, JSON]:
    """Return the configuration without what all kinds share, in the order of its model.

    `fill` stands in for optional keys that are absent; what is absent from both, and unknown keys, are left out.
    """
    fields = _own_fields(type(config))
    given = config.model_dump(mode="json", include=set(fields))
    values = {name: fill.get(name) if given[name] is None else given[name] for name in fields}
    return {name: value for name, value in values.items() if value is not None or fields[name].is_required()}


@cache
def _own_fields(model: type[FallibleConfig]) -> Mapping[str, FieldInfo]:
    return {
        name: field for name, field in model.model_fields.items() if name not in FallibleConfig.model_fields
    }


def beyond_defaults(values: Mapping[str, JSON], model: type[NodeConfig]) -> dict[str, JSON]:
    """Return the values without those that the configuration has by itself."""
    fields = model.model_fields
    return {
        name: value for name, value in values.items() if name not in fields or fields[name].default != value
    }
