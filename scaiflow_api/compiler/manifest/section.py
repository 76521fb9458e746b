"""A mapping of a manifest while it is read: typed access, with the place in every complaint."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import orjson

from scaiflow_api.expressions import parse_duration

JSON: TypeAlias = Any


class ManifestError(Exception):
    """A text that is no manifest that can be run. Its message is one sentence for people."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


def model_text(entry: Mapping[str, JSON]) -> str:
    """Return an entry of the model registry as `core.model` says it."""
    return f"{entry['ref']}/{entry['model']}"


class Section:
    """One mapping. A key that is absent and one that is null mean the same."""

    __slots__ = ("_above", "_index", "_key", "values")

    def __init__(
        self, values: object, key: str, above: "Section | None" = None, index: int | None = None
    ) -> None:
        """`key` is where it stands in the section above it; without one, the whole path."""
        # The path is written out only where something is wrong.
        self._key = key
        self._above = above
        self._index = index
        if not isinstance(values, dict):
            raise ManifestError(f"{self.path} must be a mapping.")
        self.values: dict[str, JSON] = values

    @property
    def path(self) -> str:
        if self._above is None:
            return self._key
        path = f"{self._above.path}.{self._key}"
        return path if self._index is None else f"{path}[{self._index}]"

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def fail(self, key: str, expected: str) -> ManifestError:
        return ManifestError(f"{self.path}.{key} must be {expected}.")

    def json(self, key: str) -> JSON:
        return self.values.get(key)

    def optional_text(self, key: str) -> str | None:
        value = self.values.get(key)
        if value is not None and not isinstance(value, str):
            raise self.fail(key, "text")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = self.optional_text(key)
        if value is not None:
            return value
        if default is None:
            raise ManifestError(f"{self.path}.{key} is missing.")
        return default

    def choice(self, key: str, options: tuple[str, ...]) -> str:
        """Return one of `options`; the first where the key is absent."""
        if self.values.get(key) is None:
            return options[0]
        value = self.text(key)
        if value not in options:
            raise self.fail(key, "one of " + ", ".join(options))
        return value

    def optional_duration(self, key: str) -> str | None:
        """Return the text of a duration, such as `30s`."""
        text = self.optional_text(key)
        if text is not None:
            try:
                parse_duration(text)
            except ValueError as error:
                raise self.fail(key, "a duration such as 30s") from error
        return text

    def optional_expression(self, key: str) -> str | None:
        """Return the text of an expression; `true` and `3` written without quotes are expressions too."""
        value = self.values.get(key)
        if isinstance(value, bool | int | float):
            return orjson.dumps(value).decode()
        return self.optional_text(key)

    def flag(self, key: str, *, default: bool = False) -> bool:
        value = self.values.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.fail(key, "true or false")
        return default if value is None else value

    def count(self, key: str) -> int | None:
        """Return a whole number of at least 1."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.fail(key, "a whole number of at least 1")
        return value

    def mapping(self, key: str) -> dict[str, JSON]:
        value = self.values.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.fail(key, "a mapping")
        return value

    def texts(self, key: str) -> dict[str, str]:
        """Return a mapping from names to texts."""
        if self.values.get(key) is None:
            return {}
        value = self.mapping(key)
        if not all(isinstance(item, str) for item in value.values()):
            raise self.fail(key, "a mapping of names to texts")
        return value

    def items(self, key: str) -> list[JSON]:
        value = self.values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.fail(key, "a list")
        return value

    def text_items(self, key: str) -> tuple[str, ...]:
        value = self.items(key)
        if not all(isinstance(item, str) for item in value):
            raise self.fail(key, "a list of texts")
        return tuple(value)

    def mappings(self, key: str) -> tuple[Mapping[str, JSON], ...]:
        value = self.items(key)
        if not all(isinstance(item, dict) for item in value):
            raise self.fail(key, "a list of mappings")
        return tuple(value)

    def section(self, key: str) -> "Section":
        return Section(self.values.get(key), key, self)

    def sections(self, key: str) -> list["Section"]:
        return [Section(item, key, self, index) for index, item in enumerate(self.items(key))]
