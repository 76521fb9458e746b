"""`compute_file_download`: reads a file of a sandbox. Its value is the content, as text."""

from typing import Literal

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import COMPUTE, JSON, FallibleConfig, StepKind, Surroundings, Text
from scaiflow_api.compiler.kinds.sandbox import config_in_sandbox, lower_in_sandbox

METHOD = "read_file"


class ComputeFileDownloadConfig(FallibleConfig):
    """Which file, and how its bytes become text."""

    path: Text
    """Which file; may hold templates."""
    encoding: Literal["utf-8", "base64"] = "utf-8"
    """`base64` for bytes that are no text."""
    bunker: Text | None = None
    """A template that names a sandbox, `{{ node_provision }}`; without one, the nearest one upstream."""


def lower(config: ComputeFileDownloadConfig, around: Surroundings) -> ir.RigidBlock:
    return lower_in_sandbox(METHOD, config, around)


def config_of(block: ir.RigidBlock) -> dict[str, JSON]:
    return config_in_sandbox(block, ComputeFileDownloadConfig)


COMPUTE_FILE_DOWNLOAD = StepKind(
    name="compute_file_download",
    title="Download File",
    description="Reads a file of a sandbox.",
    category=COMPUTE,
    config=ComputeFileDownloadConfig,
    lower=lower,
    config_of=config_of,
    templates=("path", "bunker"),
)
