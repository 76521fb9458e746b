"""The catalog: flows that a tenant's people publish for one another, as packages with versions."""
