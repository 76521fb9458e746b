"""The flow as a graph: nodes, edges, ranks, what stands inside what. Nothing here judges or translates."""
