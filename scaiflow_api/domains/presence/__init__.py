"""Who else has a flow open at this moment."""
