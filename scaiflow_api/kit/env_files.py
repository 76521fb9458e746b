"""Where settings may be written down."""

import os
from pathlib import Path

EXPECTED = ("/etc/scaiflow/api.env", ".env", "apps/api/.env")
"""Need not exist."""


def env_files() -> list[str]:
    """Return the files that may hold settings, weakest first.

    Raises FileNotFoundError where `SCAIFLOW_ENV_FILE` names none: whoever names one does not mean the defaults.
    """
    named = os.environ.get("SCAIFLOW_ENV_FILE")
    if not named:
        return [*EXPECTED]
    Path(named).stat()
    return [*EXPECTED, named]
