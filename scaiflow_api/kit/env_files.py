"""Where settings may be written down."""

import os


def env_files() -> list[str]:
    """Return the files that may hold settings, weakest first; they need not exist."""
    named = os.environ.get("SCAIFLOW_ENV_FILE")
    return ["/etc/scaiflow/api.env", ".env", "apps/api/.env", *([named] if named else [])]
