"""What the flow around a node has for it: the default role, the scope of queues, the sandbox."""

from collections.abc import Mapping
from typing import Any

from scaiflow_api.compiler.graph.flow import FlowView
from scaiflow_api.compiler.graph.sandboxes import nearest_provision
from scaiflow_api.compiler.kinds.base import Common, Surroundings

DEFAULT_BUNKER = {"lifecycle": "ephemeral", "image": "python-3.12"}


class FlowSurroundings:
    """The surroundings of the nodes of one flow."""

    def __init__(self, view: FlowView) -> None:
        self._view = view
        self._sandboxes = nearest_provision(view)
        config = view.graph.config
        models = (config.core_identity.models if config.core_identity else None) or []
        self._default_role = models[0].role if models else ""
        self._queue_scope = config.scaiqueue.scope if config.scaiqueue else None
        self._bunker = bunker_of(view.document.get("config", {}))

    def of(self, node: int, common: Common) -> Surroundings:
        """Return what a kind is told of the flow around the node at this place."""
        sandbox = self._sandboxes.get(node)
        return Surroundings(
            common=common,
            default_role=self._default_role,
            queue_scope=self._queue_scope,
            bunker=self._bunker,
            sandbox=None if sandbox is None else self._view.nodes[sandbox].id,
        )


def bunker_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return `config.bunker` with the defaults of what every sandbox needs."""
    given = config.get("bunker") or {}
    return {**DEFAULT_BUNKER, **{key: value for key, value in given.items() if value is not None}}
