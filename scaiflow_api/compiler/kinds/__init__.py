"""The registry of node kinds, in the order of the palette."""

from scaiflow_api.compiler.kinds.base import EntryKind, Kind, StepKind
from scaiflow_api.compiler.kinds.checkpoint import CHECKPOINT
from scaiflow_api.compiler.kinds.compute_destroy import COMPUTE_DESTROY
from scaiflow_api.compiler.kinds.compute_exec import COMPUTE_EXEC
from scaiflow_api.compiler.kinds.compute_file_download import COMPUTE_FILE_DOWNLOAD
from scaiflow_api.compiler.kinds.compute_file_upload import COMPUTE_FILE_UPLOAD
from scaiflow_api.compiler.kinds.compute_provision import COMPUTE_PROVISION
from scaiflow_api.compiler.kinds.data_variable_set import DATA_VARIABLE_SET
from scaiflow_api.compiler.kinds.entry_api import ENTRY_API
from scaiflow_api.compiler.kinds.entry_schedule import ENTRY_SCHEDULE
from scaiflow_api.compiler.kinds.entry_webhook import ENTRY_WEBHOOK
from scaiflow_api.compiler.kinds.hitl_decision import HITL_DECISION
from scaiflow_api.compiler.kinds.hitl_review import HITL_REVIEW
from scaiflow_api.compiler.kinds.llm_flexible import LLM_FLEXIBLE
from scaiflow_api.compiler.kinds.llm_guarded import LLM_GUARDED
from scaiflow_api.compiler.kinds.llm_rigid import LLM_RIGID
from scaiflow_api.compiler.kinds.logic_decision import LOGIC_DECISION
from scaiflow_api.compiler.kinds.logic_loop import LOGIC_LOOP
from scaiflow_api.compiler.kinds.logic_parallel import LOGIC_PARALLEL
from scaiflow_api.compiler.kinds.queue_consume import QUEUE_CONSUME
from scaiflow_api.compiler.kinds.queue_escalation import QUEUE_ESCALATION
from scaiflow_api.compiler.kinds.queue_publish import QUEUE_PUBLISH
from scaiflow_api.compiler.kinds.subflow_call import SUBFLOW_CALL
from scaiflow_api.compiler.kinds.tool_http import TOOL_HTTP
from scaiflow_api.compiler.kinds.tool_plugin import TOOL_PLUGIN

KINDS: dict[str, EntryKind | StepKind] = {
    kind.name: kind
    for kind in (
        ENTRY_API,
        ENTRY_WEBHOOK,
        ENTRY_SCHEDULE,
        LLM_RIGID,
        LLM_GUARDED,
        LLM_FLEXIBLE,
        LOGIC_DECISION,
        LOGIC_LOOP,
        LOGIC_PARALLEL,
        TOOL_PLUGIN,
        TOOL_HTTP,
        DATA_VARIABLE_SET,
        CHECKPOINT,
        QUEUE_PUBLISH,
        QUEUE_CONSUME,
        HITL_REVIEW,
        HITL_DECISION,
        QUEUE_ESCALATION,
        COMPUTE_PROVISION,
        COMPUTE_EXEC,
        COMPUTE_FILE_UPLOAD,
        COMPUTE_FILE_DOWNLOAD,
        COMPUTE_DESTROY,
        SUBFLOW_CALL,
    )
}

__all__ = ["KINDS", "EntryKind", "Kind", "StepKind"]
