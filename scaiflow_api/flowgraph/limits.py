"""How large a flow document may be. The caller passes what its settings say; these are the defaults."""

from msgspec import Struct

from scaiflow_api.kit.errors import AppError


class Limits(Struct, frozen=True):
    """The bounds of one document."""

    max_bytes: int = 5 * 1024 * 1024
    """Of its canonical JSON."""
    max_nodes: int = 5_000
    max_edges: int = 20_000
    max_nesting: int = 64
    """Objects and lists inside each other, the document itself being the first."""
    max_expression_characters: int = 300_000
    """Of all texts with expressions or templates together: what can be read in about a second."""


DEFAULT_LIMITS = Limits()


class FlowTooLarge(AppError):
    """A document beyond a limit: refused before anything else looks at it."""

    status = 413
    error = "flow_too_large"
    template = "The flow is too large: its limit of {limit} is {maximum}, and it has {actual}."
    fix = "Split the flow into several and call one from another."
