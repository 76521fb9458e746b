"""The string library. All methods return new strings; positions and lengths count characters."""

from collections.abc import Callable

from scaiflow_api.expressions.errors import OperationError
from scaiflow_api.expressions.limits import Meter
from scaiflow_api.expressions.methods.globs import MAX_PATTERN, glob_matches
from scaiflow_api.expressions.methods.signature import Accepts, MethodTable, Parameter

STRING_METHODS = MethodTable()

_TEXT_PER_GLOB_STEP = 64
"""Characters that `matches()` reads for one step: it looks at each one by itself."""

_FILL = Parameter("fill", Accepts.TEXT, " ")
_LENGTH = Parameter("length", Accepts.WHOLE)
_SUB = Parameter("sub", Accepts.TEXT)
_SEP = Parameter("sep", Accepts.TEXT)
_OLD = Parameter("old", Accepts.TEXT)
_NEW = Parameter("new", Accepts.TEXT)


@STRING_METHODS.method()
def length(_meter: Meter, text: str) -> int:
    return len(text)


@STRING_METHODS.method()
def is_empty(_meter: Meter, text: str) -> bool:
    return not text


@STRING_METHODS.method()
def lower(meter: Meter, text: str) -> str:
    return _recased(text, text.lower, meter)


@STRING_METHODS.method()
def upper(meter: Meter, text: str) -> str:
    return _recased(text, text.upper, meter)


@STRING_METHODS.method()
def trim(meter: Meter, text: str) -> str:
    meter.charge_text(len(text))
    return text.strip()


@STRING_METHODS.method()
def trim_start(meter: Meter, text: str) -> str:
    meter.charge_text(len(text))
    return text.lstrip()


@STRING_METHODS.method()
def trim_end(meter: Meter, text: str) -> str:
    meter.charge_text(len(text))
    return text.rstrip()


@STRING_METHODS.method(_SUB)
def contains(meter: Meter, text: str, sub: str) -> bool:
    meter.charge_text(len(text))
    return sub in text


@STRING_METHODS.method(Parameter("prefix", Accepts.TEXT))
def starts_with(meter: Meter, text: str, prefix: str) -> bool:
    meter.charge_text(len(prefix))
    return text.startswith(prefix)


@STRING_METHODS.method(Parameter("suffix", Accepts.TEXT))
def ends_with(meter: Meter, text: str, suffix: str) -> bool:
    meter.charge_text(len(suffix))
    return text.endswith(suffix)


@STRING_METHODS.method(_SUB)
def index_of(meter: Meter, text: str, sub: str) -> int | None:
    meter.charge_text(len(text))
    position = text.find(sub)
    return position if position >= 0 else None


@STRING_METHODS.method(_OLD, _NEW)
def replace(meter: Meter, text: str, old: str, new: str) -> str:
    return _replaced(meter, text, old, new, at_most=-1)


@STRING_METHODS.method(_OLD, _NEW)
def replace_first(meter: Meter, text: str, old: str, new: str) -> str:
    return _replaced(meter, text, old, new, at_most=1)


@STRING_METHODS.method(_SEP)
def split(meter: Meter, text: str, sep: str) -> list[str]:
    if not sep:
        raise OperationError("split() needs a `sep` that is not empty")
    meter.charge_text(len(text))
    meter.charge(text.count(sep) + 1)
    meter.check_size(meter.text_size(text))
    parts = text.split(sep)
    meter.measure(parts)
    return parts


@STRING_METHODS.method(Parameter("start", Accepts.WHOLE), Parameter("end", Accepts.WHOLE, None))
def slice_(meter: Meter, text: str, start: int, end: int | None) -> str:
    """Return the characters from `start` up to but not `end`; negative positions count from the end."""
    part = text[start:end]
    meter.charge_text(len(part))
    return part


@STRING_METHODS.method(_LENGTH, _FILL)
def pad_start(meter: Meter, text: str, length: int, fill: str) -> str:
    return _padding(meter, text, length, fill) + text


@STRING_METHODS.method(_LENGTH, _FILL)
def pad_end(meter: Meter, text: str, length: int, fill: str) -> str:
    return text + _padding(meter, text, length, fill)


@STRING_METHODS.method(Parameter("n", Accepts.WHOLE))
def repeat(meter: Meter, text: str, n: int) -> str:
    if n < 0:
        raise OperationError("repeat() needs an `n` that is not negative")
    size = meter.text_size(text) * n
    meter.check_size(size)
    meter.charge_text(size)
    return text * n


@STRING_METHODS.method(Parameter("pattern", Accepts.TEXT))
def matches(meter: Meter, text: str, pattern: str) -> bool:
    if len(pattern) > MAX_PATTERN:
        raise OperationError(f"matches() needs a `pattern` of at most {MAX_PATTERN:,} characters")
    meter.charge(len(text) // _TEXT_PER_GLOB_STEP)
    return glob_matches(pattern, text)


def _recased(text: str, recase: Callable[[], str], meter: Meter) -> str:
    # Some letters become up to three; refusing an oversized text first bounds what is built.
    meter.check_size(meter.text_size(text))
    meter.charge_text(len(text))
    result = recase()
    meter.check_size(meter.text_size(result))
    return result


def _replaced(meter: Meter, text: str, old: str, new: str, at_most: int) -> str:
    if not old:
        raise OperationError("replacing needs an `old` that is not empty")
    meter.charge_text(len(text))
    found = text.count(old)
    times = min(found, at_most) if at_most >= 0 else found
    size = meter.text_size(text) + times * (meter.text_size(new) - meter.text_size(old))
    meter.check_size(size)
    meter.charge_text(size)
    return text.replace(old, new, times)


def _padding(meter: Meter, text: str, length: int, fill: str) -> str:
    missing = max(length - len(text), 0)
    if not missing or not fill:
        return ""
    whole, rest = divmod(missing, len(fill))
    size = meter.text_size(fill) * whole + meter.text_size(fill[:rest]) + meter.text_size(text)
    meter.check_size(size)
    meter.charge_text(size)
    return fill * whole + fill[:rest]
