"""A tenant's key over the wire."""

import re
from typing import ClassVar

from pydantic import SecretStr, field_validator

from scaiflow_api.web.schemas import AnswerModel, ApiModel

_KEY = re.compile(r"sgk_[!-~]{16,508}")


class GridCredentials(AnswerModel):
    """Whether the tenant has a key at ScaiGrid, and its ends."""

    configured: bool
    base_url: str | None
    masked_key: str | None
    """The first four characters and the last four."""


class GridCredentialsSet(ApiModel):
    """A key to set, in place of an earlier one. Without `base_url` the address stays; null is the operator's."""

    example: ClassVar = {"api_key": "sgk_0123456789abcdef"}

    api_key: SecretStr
    base_url: str | None = None

    @field_validator("api_key")
    @classmethod
    def _is_a_key(cls, key: SecretStr) -> SecretStr:
        if not _KEY.fullmatch(key.get_secret_value()):
            raise ValueError("a ScaiGrid key is 'sgk_' and at least 16 further characters, without spaces")
        return key

    @property
    def keeps_address(self) -> bool:
        return "base_url" not in self.model_fields_set
