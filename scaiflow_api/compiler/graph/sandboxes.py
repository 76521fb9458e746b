"""Which sandbox a compute node works in when it names none: the nearest one provisioned upstream."""

from scaiflow_api.compiler.graph.flow import FlowView

PROVISION = "compute_provision"


def nearest_provision(view: FlowView) -> dict[int, int]:
    """Return node place → place of the `compute_provision` that the fewest control edges lead from to it.

    Of several equally near ones that of the highest rank. Nodes without one are left out.
    """
    if all(node.type != PROVISION for node in view.nodes):
        return {}
    leaving: dict[int, tuple[int, int, int]] = {}
    """By node, for those behind it: edges back, rank of the provision (negative: the highest wins), its place."""
    nearest: dict[int, int] = {}
    for rank, node in enumerate(view.ranked):
        found = [leaving[edge.source] for edge in view.control_in.get(node, ()) if edge.source in leaving]
        if found:
            edges, place, provision = min(found)
            nearest[node] = provision
            leaving[node] = (edges + 1, place, provision)
        if view.nodes[node].type == PROVISION:
            leaving[node] = (0, -rank, node)
    return nearest
