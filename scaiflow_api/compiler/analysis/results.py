"""What the nodes of a flow yield, as far as their configuration says it."""

from collections.abc import Iterable

from scaiflow_api.compiler.analysis.shapes import (
    JSON,
    LIST,
    MAX_CHOICES,
    NUMBER,
    TEXT,
    Shape,
    declared,
    record,
)
from scaiflow_api.compiler.kinds.base import NodeConfig
from scaiflow_api.compiler.kinds.checkpoint import CheckpointConfig
from scaiflow_api.compiler.kinds.compute_exec import ComputeExecConfig
from scaiflow_api.compiler.kinds.compute_file_download import ComputeFileDownloadConfig
from scaiflow_api.compiler.kinds.hitl_review import HitlReviewConfig
from scaiflow_api.compiler.kinds.model_call import ModelCallConfig
from scaiflow_api.compiler.kinds.pause import DECISION_FIELD, option_id
from scaiflow_api.compiler.kinds.queue_consume import QueueConsumeConfig
from scaiflow_api.compiler.kinds.queue_escalation import QueueEscalationConfig
from scaiflow_api.compiler.kinds.queue_publish import QueuePublishConfig
from scaiflow_api.compiler.kinds.tool_http import ToolHttpConfig

HTTP_ANSWER = record({"status": NUMBER, "headers": Shape("map", item=TEXT), "body": None})
MESSAGE = record({"message_id": TEXT})


def result_shape(config: NodeConfig) -> Shape | None:
    """Return the shape of a node's value by its own configuration; None where that does not tell."""
    match config:
        case ModelCallConfig(output_schema=dict() as schema) if schema:
            return record({name: declared(text) for name, text in schema.items()})
        case ToolHttpConfig():
            return HTTP_ANSWER
        case QueuePublishConfig() | QueueEscalationConfig():
            return MESSAGE
        case QueueConsumeConfig(batch_size=size) if size > 1:
            return LIST
        case CheckpointConfig():
            return _resolution({DECISION_FIELD: config.options})
        case HitlReviewConfig():
            asked = {section.answers: section.options or [] for section in config.sections}
            return _resolution({name: options for name, options in asked.items() if name is not None})
        case ComputeExecConfig(parse="text") | ComputeFileDownloadConfig():
            return TEXT
    return None


def _resolution(decisions: dict[str, list[JSON]]) -> Shape:
    """Return the shape of what a person answers: more keys than the known ones may come with it."""
    fields = {name: _choice(options) for name, options in decisions.items()}
    return record(fields, closed=False)


def _choice(options: Iterable[JSON]) -> Shape | None:
    names = [str(option_id(option)) for option in options]
    if not names or any("{{" in name for name in names):
        return None
    return Shape("string", tuple(names) if len(names) <= MAX_CHOICES else ())
