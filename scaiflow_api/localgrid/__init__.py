"""A faithful small ScaiKey, ScaiGrid and ScaiVault on this machine, over real HTTP: an ASGI app of its own.

It executes what is deployed to it. It shares no code with the API but the compiler and what lies below it;
the two meet on the wire alone. `docs/localgrid.md` describes the wire.
"""

from scaiflow_api.localgrid.app import create_grid
from scaiflow_api.localgrid.config import GridConfig

__all__ = ["GridConfig", "create_grid"]
