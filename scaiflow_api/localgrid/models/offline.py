"""A model without a model: the same question gets the same answer, made from the question itself.

It honours the declared output and nothing more. What it says is plain: a string is the text it was given, an
enum the choice that shares most with that text, anything else follows from a hash of the question.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from scaiflow_api.compiler.analysis.types import Type
from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.runtime.model_calls import ModelChoice, ModelRequest
from scaiflow_api.localgrid.runtime.types import TypeMismatch, coerce

_TELLING_NAMES = ("message", "text", "question", "query", "prompt", "input", "content")
_WORD = re.compile(r"\w+")
_SHORTEST_STEM = 4
_MOST_ITEMS = 3


class OfflineModel:
    """Answers for every model, at once. Implements `ModelProvider`."""

    async def complete(self, choice: ModelChoice, request: ModelRequest) -> Value:
        material = _Material.of(choice, request)
        if request.output_type is None:
            return material.text
        return {name: _field(name, type_, material) for name, type_ in request.output_type.items()}


@dataclass(frozen=True, slots=True)
class _Material:
    """What an answer is made of."""

    bindings: Mapping[str, Value]
    text: str
    seed: bytes

    @classmethod
    def of(cls, choice: ModelChoice, request: ModelRequest) -> "_Material":
        bindings = {**request.context, **request.inputs}
        text = next(
            filter(None, map(_main_text, (request.inputs, request.context, request.run_input))), request.goal
        )
        question = [choice.model, request.goal, bindings, request.run_input, request.attempt]
        canonical = json.dumps(question, sort_keys=True, separators=(",", ":"), default=str)
        return cls(bindings, text, canonical.encode("utf-8", "surrogatepass"))

    def digest(self, path: str) -> bytes:
        return hashlib.sha256(self.seed + b"\0" + path.encode("utf-8", "surrogatepass")).digest()

    def number(self, path: str) -> int:
        return int.from_bytes(self.digest(path)[:6])


def _field(name: str, type_: Type, material: _Material) -> Value:
    if material.bindings.get(name) is not None:
        try:
            return coerce(material.bindings[name], type_)
        except TypeMismatch:
            if type_.name == "string":
                return _as_text(material.bindings[name])
    return _made_up(type_, name, material)


def _made_up(type_: Type, path: str, material: _Material) -> Value:
    match type_.name:
        case "enum":
            return _choice(type_.choices, path, material)
        case "int":
            return material.number(path) % 101
        case "float" | "money":
            return material.number(path) % 10_001 / 10_000
        case "bool":
            return material.number(path) % 2 == 1
        case "array":
            return _items(type_, path, material)
        case "object" | "map":
            return _mapping(type_, path, material)
        case _:
            return _text_like(type_.name, path, material)


def _choice(choices: tuple[str, ...], path: str, material: _Material) -> str:
    if not choices:
        return material.text
    words = _words(material.text)
    scores = [
        sum(_same_stem(word, known) for word in _words(choice) for known in words) for choice in choices
    ]
    best = max(scores)
    if best > 0:
        return choices[scores.index(best)]
    return choices[material.number(path) % len(choices)]


def _words(text: str) -> set[str]:
    return {word for part in _WORD.findall(text.casefold()) for word in part.split("_") if word}


def _same_stem(word: str, other: str) -> bool:
    shared = min(len(word), len(other))
    return word == other or (shared >= _SHORTEST_STEM and word[:shared] == other[:shared])


def _items(type_: Type, path: str, material: _Material) -> list[Value]:
    if type_.arguments:
        return [_made_up(type_.arguments[0], f"{path}[0]", material)]
    given = next((value for value in material.bindings.values() if isinstance(value, list) and value), None)
    return given[:_MOST_ITEMS] if given else [material.text]


def _mapping(type_: Type, path: str, material: _Material) -> dict[str, Value]:
    names = list(material.bindings)[:_MOST_ITEMS] or ["text"]
    if len(type_.arguments) == 2:
        return {name: _field(name, type_.arguments[1], material) for name in names}
    return {name: material.bindings.get(name, material.text) for name in names}


def _text_like(name: str, path: str, material: _Material) -> str:
    number, digits = material.number(path), material.digest(path).hex()
    match name:
        case "date":
            return f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}"
        case "datetime":
            return f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}T{number % 24:02}:{number % 60:02}:00Z"
        case "duration":
            return f"{number % 59 + 1}m"
        case "email":
            return f"person-{digits[:8]}@example.com"
        case "url":
            return f"https://example.com/{digits[:8]}"
        case "uuid":
            return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"
        case _:
            return material.text


def _main_text(values: Mapping[str, Value]) -> str:
    """Return the text that a mapping is most likely about; empty when it holds none."""
    names = [name for name in _TELLING_NAMES if name in values] or sorted(values)
    for name in names:
        value = values[name]
        text = _main_text(value) if isinstance(value, dict) else _as_text(value)
        if text:
            return text
    return ""


def _as_text(value: Value) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
