"""Executes the intermediate representation: a tree walk over blocks, with models and a record handed in."""
