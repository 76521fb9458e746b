"""The keys of a configuration that belong to one kind alone, as plain values; and the way back."""

from collections.abc import Mapping
from types import MappingProxyType

from scaiflow_api.compiler.kinds.base import JSON, FallibleConfig, NodeConfig

NOTHING: Mapping[str, JSON] = MappingProxyType({})


def own_keys(config: FallibleConfig, fill: Mapping[str, JSON] = NOTHING) -> dict[str, JSON]:
    """Return the configuration without what all kinds share, in the order of its model.

    `fill` stands in for optional keys that are absent; what is absent from both, and unknown keys, are left out.
    """
    model = type(config)
    mine = [name for name in model.model_fields if name not in FallibleConfig.model_fields]
    given = config.model_dump(mode="json", include=set(mine))
    values = {name: fill.get(name) if given[name] is None else given[name] for name in mine}
    return {
        name: value
        for name, value in values.items()
        if value is not None or model.model_fields[name].is_required()
    }


def beyond_defaults(values: Mapping[str, JSON], model: type[NodeConfig]) -> dict[str, JSON]:
    """Return the values without those that the configuration has by itself."""
    fields = model.model_fields
    return {
        name: value for name, value in values.items() if name not in fields or fields[name].default != value
    }
