"""What a section of settings is made of."""

import re
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024 * 1024
_BASE_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s@?#/:\\\[\]]+)(:[0-9]{1,5})?(/[^\s@?#\\]*)?")


class Section(BaseSettings):
    """A group of settings; empty variables count as unset."""

    model_config = SettingsConfigDict(
        frozen=True,
        env_ignore_empty=True,
        extra="ignore",
        env_file_encoding="utf-8",
        # Code may pass fields by their names. The environment may not: a `PORT` or `URL` that is meant for
        # somebody else would be read. No variable can have a name with this prefix.
        populate_by_name=True,
        env_prefix="\0",
    )


def variable(name: str, default: Any, description: str, **rules: Any) -> Any:
    """Return a field that an environment variable sets; `rules` are pydantic's, `description` goes into the docs."""
    return Field(default=default, validation_alias=name, description=description, **rules)


def split(value: object) -> object:
    """Return the parts of a text with commas; to be run before a field is validated."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def callable_address(value: str | None) -> str | None:
    """Return the base URL of another system; to be run after a field is validated.

    No password can be in it: callers are shown it.
    """
    if value is not None and not _BASE_URL.fullmatch(value):
        raise ValueError("no address like https://HOST:PORT/PATH, without user, password and query")
    return value
