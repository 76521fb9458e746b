"""What the compiler says about a draft, for all who have it open: found in a process of its own."""
