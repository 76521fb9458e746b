"""Manifests of Cores as modules."""

from functools import lru_cache

from scaiflow_api.compiler import ir, read_manifest


@lru_cache(maxsize=16)
def read_verified(manifest: str) -> ir.Module:
    """Read a manifest as `read_manifest` does, the recently read ones from memory: modules are immutable."""
    return read_manifest(manifest)


def find_flow(module: ir.Module, name: str | None) -> ir.Flow | None:
    """Return the flow of that name, the first where none is asked for."""
    return next((flow for flow in module.flows if name in {None, flow.name}), None)


def flow_names(module: ir.Module) -> str:
    """Return the names of the flows, for people."""
    return ", ".join(flow.name for flow in module.flows)
