"""`entry_api`: a run starts when somebody invokes the agent."""

from scaiflow_api.compiler.kinds.base import ENTRY, JSON, EntryConfig, EntryKind, Port, Text


class EntryApiConfig(EntryConfig):
    """Where callers reach the agent."""

    method: Text = "POST"
    """The HTTP method that callers use."""
    path: Text = "/"
    """The path that callers use."""

    def trigger_fields(self) -> dict[str, JSON]:
        return {"method": self.method, "path": self.path}


ENTRY_API = EntryKind(
    name="entry_api",
    title="API Entry",
    description="Starts a run when somebody invokes the agent.",
    category=ENTRY,
    config=EntryApiConfig,
    trigger="api",
    outputs=(Port("out_request", "request"),),
)
