"""ScaiCore, a module of ScaiGrid: Cores, their runs, events and checkpoints."""
