"""Small things that know no domain and no framework."""
