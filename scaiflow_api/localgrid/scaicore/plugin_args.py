"""Arguments of the grid's own plugins: read as their methods declare them, with refusals as failures of the block."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.runtime.evaluation import as_text
from scaiflow_api.localgrid.runtime.failures import BlockFailed
from scaiflow_api.localgrid.scaigrid.errors import GridError

Text = Annotated[str, BeforeValidator(as_text)]
"""A field that is text whatever its template yields; null is the empty text."""
MaybeText = Annotated[str | None, BeforeValidator(lambda value: None if value is None else as_text(value))]
"""Null stays null."""


class Args(BaseModel):
    """What a method takes. Keys that it does not know are ignored, as the compiler warned of them."""

    model_config = ConfigDict(extra="ignore")


Method: TypeAlias = Callable[[Mapping[str, Value]], Awaitable[Value]]

_Args = TypeVar("_Args", bound=Args)


def read_args(model: type[_Args], args: Mapping[str, Value]) -> _Args:
    """Return the arguments as `model`. Raises BlockFailed."""
    try:
        return model.model_validate(dict(args))
    except ValidationError as error:
        first: Any = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "arguments"
        sentence = first["msg"].removeprefix("Value error, ")
        raise BlockFailed("INVALID_ARGUMENTS", f"{place}: {sentence}") from None


async def call_method(
    alias: str, methods: Mapping[str, Method], method: str, args: Mapping[str, Value]
) -> Value:
    """Call a plugin's method by its name. Raises BlockFailed, with the code of the grid where that refuses."""
    if method not in methods:
        raise BlockFailed(
            "METHOD_NOT_FOUND", f"the plugin {alias} has no method {method!r}; it has: {', '.join(methods)}"
        )
    try:
        return await methods[method](args)
    except GridError as refused:
        raise BlockFailed(refused.code, refused.message) from None
