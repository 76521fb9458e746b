"""The methods of values: the string library, lists, maps and conversions."""
