"""Who is calling, and what they may do: values and decisions without I/O."""
