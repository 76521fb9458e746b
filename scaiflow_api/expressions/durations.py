"""Durations: a whole number and one unit, such as `30s`, `5m`, `1h`, `2d`, `1w`."""

import re

from scaiflow_api.expressions.values import INT_MAX

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

_DURATION = re.compile(r"([0-9]{1,19})([smhdw])")


def parse_duration(text: str) -> float:
    """Return the seconds of a duration.

    Raises ValueError for anything but a whole number directly followed by one of `s m h d w`, and for one that
    does not fit in 64 bits.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text[:40]!r} is not a duration: write a whole number and one of s, m, h, d, w, such as 30s"
        )
    seconds = int(match[1]) * UNIT_SECONDS[match[2]]
    if seconds > INT_MAX:
        raise ValueError(f"the duration {text!r} is too long")
    return float(seconds)
