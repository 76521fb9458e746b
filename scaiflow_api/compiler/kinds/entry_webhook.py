"""`entry_webhook`: a run starts when another system reports an event."""

from scaiflow_api.compiler.kinds.base import ENTRY, JSON, EntryConfig, EntryKind, Port, Text


class EntryWebhookConfig(EntryConfig):
    """Where the other system reports to. `auth` is reserved for signatures."""

    method: Text = "POST"
    """The HTTP method that the other system uses."""
    path: Text = "/"
    """The path that the other system calls."""
    auth: JSON = None
    """Reserved for what will say how events are signed."""

    def trigger_fields(self) -> dict[str, JSON]:
        return {"method": self.method, "path": self.path, "auth": self.auth}


ENTRY_WEBHOOK = EntryKind(
    name="entry_webhook",
    title="Webhook Entry",
    description="Starts a run when another system reports an event.",
    category=ENTRY,
    config=EntryWebhookConfig,
    trigger="webhook",
    outputs=(Port("out_event", "event"),),
)
