"""The model registry of one Core: which model serves a role, and which others where it is unavailable."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.runtime.model_calls import ModelChoice, ModelFailed, ModelProvider, ModelRequest

OWN_PROVIDER = "scaigrid"


class RoleRegistry:
    """Resolves roles. Implements `Models`."""

    def __init__(
        self,
        entries: Sequence[Mapping[str, Any]],
        provider: ModelProvider,
        is_served: Callable[[str], bool],
    ) -> None:
        """`is_served` tells whether ScaiGrid's own catalogue serves a slug; other providers' models always are."""
        self._entries = entries
        self._provider = provider
        self._is_served = is_served

    async def complete(self, role: str, request: ModelRequest) -> Value:
        """Ask the model of the role, then its fallbacks in order while models are unavailable. Raises ModelFailed."""
        failure: ModelFailed | None = None
        for choice in self._choices(role):
            if choice.ref == OWN_PROVIDER and not self._is_served(choice.model):
                failure = failure or ModelFailed(
                    "MODEL_NOT_FOUND", f"no model {choice.model!r} is served here"
                )
                continue
            try:
                return await self._provider.complete(choice, request)
            except ModelFailed as failed:
                if not failed.unavailable:
                    raise
                failure = failure or failed
        raise failure or ModelFailed("MODEL_NOT_FOUND", "the Core declares no model")

    def _choices(self, role: str) -> Iterator[ModelChoice]:
        entry = next((e for e in self._entries if e.get("role") == role), None)
        if entry is None and not role and self._entries:
            entry = self._entries[0]
        if entry is None:
            raise ModelFailed("MODEL_NOT_FOUND", f"llm_role={role!r} is not declared")
        for option in (entry, *(entry.get("fallback") or ())):
            yield ModelChoice(
                ref=str(option.get("ref", OWN_PROVIDER)),
                model=str(option.get("model", "")),
                temperature=entry.get("temperature"),
                system_context=entry.get("system_context"),
            )
