"""The backend of ScaiFlow, a visual designer for AI agents."""

__version__ = "0.1.0"
