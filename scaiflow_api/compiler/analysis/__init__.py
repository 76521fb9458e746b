"""What can be said of a flow without running it: names, types, certainty. The rules report what it finds."""
