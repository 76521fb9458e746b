"""What editors need to know of flow documents: their JSON Schema, and the node kinds."""
