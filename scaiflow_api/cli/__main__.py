"""`python -m scaiflow_api.cli`, for when the `scaiflow` script is not on the path."""

from scaiflow_api.cli.commands import main

main()
