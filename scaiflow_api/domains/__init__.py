"""One folder per area of the API."""
