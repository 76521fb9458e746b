"""How soon a row must follow its object, which is what makes an old object without a row an orphan.

Objects are put before the rows that name them. `scaiflow gc` removes objects without a row, but only after a grace
period. So a writer that was held up for longer than this between the two must not write the row any more.
"""

from datetime import datetime, timedelta
from typing import Final

from scaiflow_api.storage.errors import unavailable

ROW_WITHIN: Final = timedelta(minutes=2)
"""Counted from before the put. The shortest grace period is five times as long."""


def require_prompt(began: datetime, now: datetime) -> None:
    """Raise StoreUnavailable when a put that `began` then took too long; to be asked just before the commit."""
    if now - began > ROW_WITHIN:
        raise unavailable("put", TimeoutError(f"the row would come {now - began} after its object"))
