"""`compute_exec`: runs a command in a sandbox. Its value is what the command prints, read as `parse` says."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import COMPUTE, JSON, FallibleConfig, StepKind, Surroundings, Text
from scaiflow_api.compiler.kinds.sandbox import config_in_sandbox, lower_in_sandbox

METHOD = "exec"
SHELL = ("sh", "-c")


def _command(value: JSON) -> JSON:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("expected a list of texts, or one text for the shell")
    if not words or not words[0]:
        raise ValueError("a command must not be empty")
    return value


def _env(values: dict[str, str]) -> dict[str, str]:
    if any(not name or "=" in name for name in values):
        raise ValueError("the name of an environment variable is not empty and has no equals sign")
    return values


Command = Annotated[
    JSON,
    AfterValidator(_command),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
                {"type": "string", "minLength": 1},
            ]
        }
    ),
]


class ComputeExecConfig(FallibleConfig):
    """The command, and how its answer is read. An exit code other than 0 fails the node."""

    command: Command
    """The program and its arguments, which may hold templates; or one text for `sh -c`, which may not."""
    timeout_s: Annotated[int, Field(ge=1)] = 30
    """How long it may run, in seconds."""
    workdir: Text | None = None
    """The directory that it starts in; may hold templates."""
    env: Annotated[dict[str, str], AfterValidator(_env)] | None = None
    """Name → value of its environment; values may hold templates."""
    bunker: Text | None = None
    """A template that names a sandbox, `{{ node_provision }}`; without one, the nearest one upstream."""
    parse: Literal["auto", "json", "text"] = "auto"
    """`json` reads what it prints, `text` takes it as it is, `auto` reads JSON where it is some and else yields
    `{exit_code, stdout, stderr}`."""


def lower(config: ComputeExecConfig, around: Surroundings) -> ir.RigidBlock:
    words = [*SHELL, config.command] if isinstance(config.command, str) else config.command
    return lower_in_sandbox(METHOD, config, around, command=words)


def config_of(block: ir.RigidBlock) -> dict[str, JSON]:
    config = config_in_sandbox(block, ComputeExecConfig)
    match config.get("command"):
        case ["sh", "-c", str(text)] if text and "{{" not in text:
            config["command"] = text
    return config


COMPUTE_EXEC = StepKind(
    name="compute_exec",
    title="Execute Command",
    description="Runs a command in a sandbox.",
    category=COMPUTE,
    config=ComputeExecConfig,
    lower=lower,
    config_of=config_of,
    templates=("command", "workdir", "env", "bunker"),
)
