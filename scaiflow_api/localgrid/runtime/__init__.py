"""Executes the intermediate representation: a tree walk over blocks, with models and an event sink handed in."""
