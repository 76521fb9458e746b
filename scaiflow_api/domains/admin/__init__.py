"""What administrators see and decide: people, groups, flows of their tenant, and who is an administrator."""
