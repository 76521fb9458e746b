"""Read-only views of what ScaiGrid offers the tenant."""
