"""`compute_file_upload`: writes a file into a sandbox. It yields no value."""

import base64
from typing import Annotated

from pydantic import AfterValidator, model_validator

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import COMPUTE, JSON, FallibleConfig, StepKind, Surroundings, Text
from scaiflow_api.compiler.kinds.sandbox import config_in_sandbox, lower_in_sandbox

METHOD = "write_file"


def _base64(text: str) -> str:
    if "{{" not in text:
        try:
            base64.b64decode(text, validate=True)
        except ValueError as error:
            raise ValueError("not base64") from error
    return text


class ComputeFileUploadConfig(FallibleConfig):
    """The file: either `content`, or `content_base64` for bytes that are no text."""

    path: Text
    """Where the file is written; may hold templates."""
    content: str | None = None
    """May hold templates."""
    content_base64: Annotated[str, AfterValidator(_base64)] | None = None
    """Bytes in base64; may hold templates."""
    bunker: Text | None = None
    """A template that names a sandbox, `{{ node_provision }}`; without one, the nearest one upstream."""

    @model_validator(mode="after")
    def _has_one_content(self) -> "ComputeFileUploadConfig":
        if (self.content is None) == (self.content_base64 is None):
            raise ValueError("needs either content or content_base64")
        return self


def lower(config: ComputeFileUploadConfig, around: Surroundings) -> ir.RigidBlock:
    return lower_in_sandbox(METHOD, config, around)


def config_of(block: ir.RigidBlock) -> dict[str, JSON]:
    return config_in_sandbox(block, ComputeFileUploadConfig)


COMPUTE_FILE_UPLOAD = StepKind(
    name="compute_file_upload",
    title="Upload File",
    description="Writes a file into a sandbox.",
    category=COMPUTE,
    config=ComputeFileUploadConfig,
    lower=lower,
    config_of=config_of,
    templates=("path", "content", "content_base64", "bunker"),
    yields=False,
)
