"""The shared document of a draft: made of a version, read as a flow, and told what other versions changed.

Pure: bytes and values in, bytes and values out. All of it can take a second for a large flow: call it off the loop.
The library dies of what is nested too deeply, and of some updates that somebody made up, and so does the process:
what a client sends must pass `is_safe` before anything reads it, and only helper processes read it.
"""

from scaiflow_api.domains.sync.document.epochs import epoch_client_id
from scaiflow_api.domains.sync.document.flow_reading import SharedFlow, open_log, read_flow, to_flow
from scaiflow_api.domains.sync.document.merging import NO_CHANGE, merge, merge_into
from scaiflow_api.domains.sync.document.safety import is_safe
from scaiflow_api.domains.sync.document.shape import SERVER_KEYS, count_entries
from scaiflow_api.domains.sync.document.tree_reader import TooMuch
from scaiflow_api.domains.sync.document.writing import seed

__all__ = [
    "NO_CHANGE",
    "SERVER_KEYS",
    "SharedFlow",
    "TooMuch",
    "count_entries",
    "epoch_client_id",
    "is_safe",
    "merge",
    "merge_into",
    "open_log",
    "read_flow",
    "seed",
    "to_flow",
]
