"""Every environment variable the API reads, one section per concern. Nothing else reads the environment.

Sources, weakest first: `/etc/scaiflow/api.env`, `./.env`, `apps/api/.env`, the file named by
`SCAIFLOW_ENV_FILE`, the process environment.
"""

from scaiflow_api.settings.coediting import Sync
from scaiflow_api.settings.identity import Bootstrap, Directory, ScaiKey
from scaiflow_api.settings.keeping import Database, FlowLimits, Housekeeping, Live, Secrets, Store
from scaiflow_api.settings.localgrid import LocalGrid
from scaiflow_api.settings.scaigrid import DeployAuth, ScaiGrid
from scaiflow_api.settings.server import Api, Client, Environment, Observability
from scaiflow_api.settings.settings import Settings

__all__ = [
    "Api",
    "Bootstrap",
    "Client",
    "Database",
    "DeployAuth",
    "Directory",
    "Environment",
    "FlowLimits",
    "Housekeeping",
    "Live",
    "LocalGrid",
    "Observability",
    "ScaiGrid",
    "ScaiKey",
    "Secrets",
    "Settings",
    "Store",
    "Sync",
]
