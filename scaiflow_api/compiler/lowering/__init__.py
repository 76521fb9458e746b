"""From a sound flow to the intermediate representation."""
