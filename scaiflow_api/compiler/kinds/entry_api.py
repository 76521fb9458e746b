"""`entry_api`: a run starts when somebody invokes the agent."""

from scaiflow_api.compiler.kinds.base import JSON, EntryConfig, EntryKind, Text


class EntryApiConfig(EntryConfig):
    """Where callers reach the agent."""

    method: Text = "POST"
    path: Text = "/"

    def trigger_fields(self) -> dict[str, JSON]:
        return {"method": self.method, "path": self.path}


ENTRY_API = EntryKind("entry_api", "api", EntryApiConfig, ("out_request",))
