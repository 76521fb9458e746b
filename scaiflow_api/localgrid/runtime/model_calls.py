"""What a runtime asks of a model, whoever answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from scaiflow_api.compiler.analysis.types import Type
from scaiflow_api.expressions import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One model call, all templates rendered."""

    goal: str
    inputs: Mapping[str, Value]
    context: Mapping[str, Value]
    run_input: Mapping[str, Value]
    output_type: Mapping[str, Type] | None
    """The declared fields; None asks for text."""
    guidance: str | None = None
    constraints: Any = None
    examples: tuple[Any, ...] = ()
    persona: str | None = None
    attempt: int = 0
    """0 for the first call of a block, then one more for every retry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """Which model answers, and how it is set."""

    ref: str
    model: str
    temperature: float | None = None
    system_context: str | None = None


class ModelFailed(Exception):
    """A model that did not answer as asked. `unavailable`: another model of the fallback list may be tried."""

    def __init__(self, code: str, message: str, *, unavailable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.unavailable = unavailable


class ModelProvider(Protocol):
    """Answers calls to any model it knows."""

    async def complete(self, choice: ModelChoice, request: ModelRequest) -> Value:
        """Return an object with the declared fields, not yet checked, or text. Raises ModelFailed."""
        ...


class Models(Protocol):
    """The model registry of one Core."""

    async def complete(self, role: str, request: ModelRequest) -> Value:
        """Ask the model of a role, then its fallbacks. Raises ModelFailed."""
        ...
