"""Reading a flow file: its JSON, and nothing that two readers would understand differently."""

import json
from typing import Any, NoReturn, TypeAlias

from msgspec import Struct

from scaiflow_api.cli.flows.files import Malformed, decode, read_bytes, shown_name

JSON: TypeAlias = Any


class FlowFile(Struct, frozen=True):
    """What a command was given: its name, its bytes, their text and the JSON value in it."""

    name: str
    data: bytes
    text: str
    document: JSON

    @property
    def shown_name(self) -> str:
        return shown_name(self.name)


def read_flow(name: str) -> FlowFile:
    """Read a flow from a file, or from standard input for `-`. Any JSON value will do.

    Raises Malformed for what is no UTF-8 or no JSON, and for an object that has a key twice; Unusable for no file.
    """
    data = read_bytes(name)
    if data.startswith((b"SCIR", b"core:")) or b"\ncore:" in data:
        raise Malformed(
            name, "", "a manifest or bundle, and no flow document; scaiflow import makes one of it"
        )
    text = decode(name, data)
    try:
        document = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_refuse_constant)
    except _Double as double:
        raise _stands_twice(name, text, str(double)) from None
    except json.JSONDecodeError as error:
        raise Malformed(name, f":{error.lineno}:{error.colno}", f"not JSON: {error.msg}") from None
    except RecursionError:
        raise Malformed(name, "", "not JSON that anybody wrote: it is nested too deeply") from None
    except ValueError as error:
        raise Malformed(name, "", f"not JSON: {error}") from None
    return FlowFile(name, data, text, document)


class _Double(Exception):
    """A key that its object has already."""


def _without_doubles(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _Double(next(key for index, key in enumerate(keys) if key in keys[:index]))
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _stands_twice(name: str, text: str, key: str) -> Malformed:
    from scaiflow_api.cli.flows.json_positions import first_double

    place = first_double(text)
    where, line = (f" at {place[0]}", f":{place[1]}") if place else ("", "")
    problem = f"the key '{key}' stands twice in one object{where}; readers disagree on which one counts"
    return Malformed(name, line, problem)
