"""The registry of node kinds: all 24 of the language, each compiled, pending, or an entry."""

from scaiflow_api.compiler.kinds.base import Kind, PendingKind, StepKind
from scaiflow_api.compiler.kinds.data_variable_set import DATA_VARIABLE_SET
from scaiflow_api.compiler.kinds.entry_api import ENTRY_API
from scaiflow_api.compiler.kinds.entry_schedule import ENTRY_SCHEDULE
from scaiflow_api.compiler.kinds.entry_webhook import ENTRY_WEBHOOK
from scaiflow_api.compiler.kinds.llm_flexible import LLM_FLEXIBLE
from scaiflow_api.compiler.kinds.llm_guarded import LLM_GUARDED
from scaiflow_api.compiler.kinds.llm_rigid import LLM_RIGID
from scaiflow_api.compiler.kinds.logic_decision import LOGIC_DECISION

_ALL: tuple[Kind, ...] = (
    ENTRY_API,
    ENTRY_WEBHOOK,
    ENTRY_SCHEDULE,
    LLM_RIGID,
    LLM_GUARDED,
    LLM_FLEXIBLE,
    LOGIC_DECISION,
    DATA_VARIABLE_SET,
    PendingKind("logic_loop", outputs=("body", "out")),
    PendingKind("logic_parallel"),
    PendingKind("tool_plugin"),
    PendingKind("tool_http"),
    PendingKind("checkpoint"),
    PendingKind("queue_publish"),
    PendingKind("queue_consume"),
    PendingKind("hitl_review"),
    PendingKind("hitl_decision"),
    PendingKind("queue_escalation"),
    PendingKind("compute_provision"),
    PendingKind("compute_exec"),
    PendingKind("compute_file_upload"),
    PendingKind("compute_file_download"),
    PendingKind("compute_destroy"),
    PendingKind("subflow_call"),
)

KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
COMPILED_KINDS = tuple(kind.name for kind in _ALL if not isinstance(kind, PendingKind))

__all__ = ["COMPILED_KINDS", "KINDS", "Kind", "PendingKind", "StepKind"]
