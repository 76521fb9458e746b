"""Values as text: what templates, `join()`, `to_string()` and `to_json()` write."""

import json

from scaiflow_api.expressions.limits import Meter
from scaiflow_api.expressions.values import Value


def json_text(value: Value, meter: Meter) -> str:
    """Return compact JSON; raise OperationError when it is too large."""
    # Escapes make a measured text at most six times longer, so that what is refused afterwards was bounded too.
    meter.measure(value)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    meter.charge_text(len(text))
    meter.check_size(meter.text_size(text))
    return text


def plain_text(value: Value, meter: Meter) -> str:
    """Return a string as it is, null as nothing, and everything else as compact JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json_text(value, meter)


def joined_text(pieces: list[str], separator: str, meter: Meter) -> str:
    """Join `pieces`; raise OperationError before that when the result is too large."""
    size = sum(map(meter.text_size, pieces)) + meter.text_size(separator) * max(len(pieces) - 1, 0)
    meter.check_size(size)
    meter.charge_text(size)
    return separator.join(pieces)
