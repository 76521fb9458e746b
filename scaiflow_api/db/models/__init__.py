"""All tables; importing this package fills `Base.metadata`."""

from scaiflow_api.db.models.deployment import Deployment
from scaiflow_api.db.models.flow import Flow, FlowAcl, FlowVersion
from scaiflow_api.db.models.lease import Lease
from scaiflow_api.db.models.user import User

__all__ = ["Deployment", "Flow", "FlowAcl", "FlowVersion", "Lease", "User"]
