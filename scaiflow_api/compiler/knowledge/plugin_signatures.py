"""What is known of the methods of plugins: which arguments they need, which they take besides.

The three plugins of the runtime, and those whose methods are public. A flow's `config.plugins[]` may bring more.
"""

from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct


class Signature(Struct, frozen=True):
    """The arguments of one method."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


Methods: TypeAlias = Mapping[str, Signature]

HTTP: Methods = {
    "request": Signature(
        ("url",), ("method", "headers", "query", "body", "timeout", "expect_status", "auth")
    ),
}
SCAIQUEUE: Methods = {
    "publish": Signature(
        ("queue", "message_type", "payload"),
        ("scope", "priority", "labels", "correlation_id", "idempotency_key", "ttl_seconds"),
    ),
    "consume": Signature(("queue",), ("scope", "batch_size", "wait", "ack")),
    "escalate": Signature(("queue", "reason"), ("scope", "payload", "message_type", "priority", "assignee")),
}
SCAIBUNKER: Methods = {
    "create": Signature(
        (),
        (
            "image",
            "lifecycle",
            "cpu_millicores",
            "memory_mb",
            "disk_mb",
            "gpu_count",
            "network_profile",
            "env_vars",
        ),
    ),
    "exec": Signature(("command",), ("timeout_s", "workdir", "env", "bunker", "parse")),
    "write_file": Signature(("path",), ("content", "content_base64", "bunker")),
    "read_file": Signature(("path",), ("encoding", "bunker")),
    "destroy": Signature((), ("bunker",)),
}
SCAIDRIVE: Methods = {
    "search": Signature(("path", "query"), ("limit",)),
}

SIGNATURES: Mapping[str, Methods] = {
    "http": HTTP,
    "scaiqueue": SCAIQUEUE,
    "scaibunker": SCAIBUNKER,
    "scaidrive": SCAIDRIVE,
}
"""By the name of the plugin: its alias, or what its endpoint `plugin://<name>` says."""
