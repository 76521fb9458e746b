"""Who else may use a flow: explicit grants to users and groups."""
