"""What an expression yields as far as its names are known, and what in it cannot hold."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from scaiflow_api.compiler.analysis.shapes import (
    BOOL,
    LIST,
    NUMBER,
    TEXT,
    WORDS,
    Shape,
    common,
    listed,
    record,
    sort_of,
)
from scaiflow_api.compiler.suggest import Suggestions
from scaiflow_api.expressions import Expression, Template
from scaiflow_api.expressions.errors import OperationError
from scaiflow_api.expressions.methods.lookup import methods_of
from scaiflow_api.expressions.methods.signature import Method
from scaiflow_api.expressions.operators import NULL_REFUSING
from scaiflow_api.expressions.syntax import (
    Binary,
    Call,
    Conditional,
    Index,
    Lambda,
    LeftRecursive,
    ListLiteral,
    Literal,
    Logical,
    MapLiteral,
    Member,
    Name,
    Node,
    Unary,
)
from scaiflow_api.expressions.values import Value
from scaiflow_api.expressions.wording import excerpt

Known: TypeAlias = Callable[[str], Shape | None]
"""From a root name to what is known of its value."""
Bound: TypeAlias = Mapping[str, Shape | None]
"""Parameters of the lambdas around."""

ORDERINGS = frozenset({"<", "<=", ">", ">="})
SUMMABLE = frozenset({"number", "string", "list"})
METHODS: Mapping[str | None, Mapping[str, list[Method]]] = {
    None: methods_of(None),
    **{sort: methods_of(kind) for sort, kind in (("string", str), ("list", list), ("map", dict))},
    **dict.fromkeys(("bool", "number"), methods_of(int)),
}
"""By the sort of value, and for any value: its methods by name."""
RESULTS: Mapping[str, Shape] = {
    "length": NUMBER,
    "to_string": TEXT,
    "to_json": TEXT,
    "to_float": NUMBER,
    "to_int": NUMBER,
    "join": TEXT,
}
"""Methods whose value has one shape, whatever they are called on."""
OF_ITEMS = frozenset({"map", "filter", "any", "all", "sort"})
"""Methods of lists that give their function one item at a time."""
PROPERTIES: Mapping[str, frozenset[str]] = {
    "string": frozenset({"length"}),
    "list": frozenset({"length", "first", "last"}),
}


class Fault(Struct, frozen=True):
    """Something that cannot hold: where, in the expression's own words, what, and what may be meant."""

    source: str
    problem: str
    fix: str | None = None


class Inference:
    """Reads expressions of one place; what is wrong with them is in `faults`."""

    def __init__(
        self, known: Known, suggestions: Suggestions, is_offered: Callable[[str], bool] = lambda _: True
    ) -> None:
        """`is_offered` says of a root name whether something in the flow has it."""
        self.faults: list[Fault] = []
        self._known = known
        self._is_offered = is_offered
        self._suggestions = suggestions
        self._source = ""

    def read(self, text: Expression | Template) -> Shape | None:
        """Return what an expression or a template yields."""
        if isinstance(text, Expression):
            return self._expression(text)
        shapes = [self._expression(piece) for piece in text.pieces if isinstance(piece, Expression)]
        return shapes[0] if text.is_single else TEXT

    def _expression(self, expression: Expression) -> Shape | None:
        self._source = expression.source
        return self._shape(expression.root, {}, lenient=False)

    def _shape(self, node: Node, bound: Bound, *, lenient: bool) -> Shape | None:
        """Return the shape of a node; `lenient` where the author says what happens if there is no such member."""
        ways = []
        while isinstance(node, Conditional):
            self._shape(node.condition, bound, lenient=lenient)
            ways.append(self._shape(node.then, bound, lenient=lenient))
            node = node.otherwise
        chain: list[tuple[LeftRecursive, bool]] = []
        while isinstance(node, LeftRecursive):
            chain.append((node, lenient))
            lenient = lenient or (isinstance(node, Logical) and node.operator == "??")
            node = node.left
        shape = self._start(node, bound, lenient=lenient)
        while chain:
            link, excused = chain.pop()
            shape = self._continue(link, shape, bound, lenient=excused)
        return common([*ways, shape]) if ways else shape

    def _start(self, node: Node, bound: Bound, *, lenient: bool) -> Shape | None:
        match node:
            case Literal():
                return _of_literal(node.value)
            case Name():
                return bound[node.name] if node.name in bound else self._known(node.name)
            case Unary(operator="!"):
                self._shape(node.operand, bound, lenient=lenient)
                return BOOL
            case Unary():
                self._refuse_all_but_numbers(node, self._shape(node.operand, bound, lenient=lenient), "-")
                return NUMBER
            case ListLiteral():
                items = [self._shape(item, bound, lenient=lenient) for item in node.items]
                return replace(LIST, item=common(items), literal=True)
            case MapLiteral():
                fields = {key: self._shape(value, bound, lenient=lenient) for key, value in node.entries}
                return replace(record(fields), literal=True)
        return self._shape(node, bound, lenient=lenient)

    def _continue(
        self, node: LeftRecursive, left: Shape | None, bound: Bound, *, lenient: bool
    ) -> Shape | None:
        match node:
            case Member():
                return self._member(node, left, node.name, lenient=lenient)
            case Index(index=Literal(value=str() as key)) if left is not None and left.sort == "map":
                return self._member(node, left, key, lenient=lenient)
            case Index():
                self._shape(node.index, bound, lenient=lenient)
                return left.item if left is not None and left.sort in {"list", "map"} else None
            case Logical():
                right = self._shape(node.right, bound, lenient=lenient)
                return common([left, right])
            case Binary():
                return self._binary(node, left, self._shape(node.right, bound, lenient=lenient))
            case Call():
                return self._call(node, left, bound, lenient=lenient)
        raise AssertionError(f"no rule for {type(node).__name__}")

    # Members and methods

    def _member(self, node: Node, value: Shape | None, name: str, *, lenient: bool) -> Shape | None:
        if value is None:
            return None
        if value.sort == "map":
            return self._field(node, value, name)
        if name in PROPERTIES.get(value.sort, frozenset()):
            return NUMBER if name == "length" else value.item
        if not lenient and not value.literal:
            fix = self._suggestions.did_you_mean(name, PROPERTIES.get(value.sort, ()))
            self._report(node, f"{WORDS[value.sort]} has no member '{name}', so this is always null", fix)
        return None

    def _field(self, node: Node, value: Shape, name: str) -> Shape | None:
        if value.fields is None:
            return None if name == "length" else value.item
        if name in value.fields:
            return value.fields[name]
        if name == "length":
            return NUMBER
        if value.closed and not value.literal:
            fix = self._suggestions.did_you_mean(name, value.fields)
            has = f"it has {listed(value.fields)}" if value.fields else "it has none"
            self._report(node, f"there is no field '{name}'; {has}", fix)
        if not value.closed and not value.literal:
            near = self._suggestions.near_miss(name, value.fields)
            if near is not None:
                problem = f"'{name}' is none of the fields that are known; they are {listed(value.fields)}"
                self._report(node, problem, f"did you mean '{near}'?")
        return None

    def _call(self, node: Call, value: Shape | None, bound: Bound, *, lenient: bool) -> Shape | None:
        items = value.item if value is not None and value.sort == "list" and node.method in OF_ITEMS else None
        for argument in node.arguments:
            if isinstance(argument.value, Lambda):
                inner = {**bound, argument.value.parameter: items}
                self._shape(argument.value.body, inner, lenient=lenient)
            else:
                self._shape(argument.value, bound, lenient=lenient)
        refused = self._refuses(node, value)
        if value is None or refused:
            return None if refused else RESULTS.get(node.method)
        if value.sort == "list" and node.method in {"first", "last", "filter", "sort"}:
            return value.item if node.method in {"first", "last"} else value
        return RESULTS.get(node.method)

    def _refuses(self, call: Call, value: Shape | None) -> bool:
        """Report and return whether no value of a shape takes a call; without a shape, no value at all."""
        methods = METHODS[None if value is None else value.sort]
        problem, fix = None, None
        for method in methods.get(call.method, ()):
            names = [argument.name for argument in call.arguments if argument.name is not None]
            try:
                method.check_places(len(call.arguments) - len(names), names)
            except OperationError as refused:
                problem = str(refused)
            else:
                return False
        if problem is None:
            what = "no value" if value is None else WORDS[value.sort]
            problem = f"{what} has {'a' if value is None else 'no'} method `{excerpt(call.method)}()`"
            fix = self._suggestions.did_you_mean(call.method, methods)
        if value is None or not value.literal:
            self._report(call, problem, fix)
        return True

    # Operators

    def _binary(self, node: Binary, left: Shape | None, right: Shape | None) -> Shape | None:
        operator = node.operator
        if operator in {"==", "!="}:
            self._check_equality(node, left, right)
            return BOOL
        if operator == "in":
            self._check_membership(node, left, right)
            return BOOL
        if operator in ORDERINGS:
            self._check_order(node, left, right)
            return BOOL
        if operator == "+":
            return self._sum(node, left, right)
        assert operator in NULL_REFUSING
        for side in (left, right):
            self._refuse_all_but_numbers(node, side, operator)
        return NUMBER

    def _check_equality(self, node: Binary, left: Shape | None, right: Shape | None) -> None:
        for side, other in ((node.left, right), (node.right, left)):
            if isinstance(side, Name) and other is not None and not self._is_offered(side.name):
                self._check_word(node, side.name, other)
        if left is None or right is None or (left.literal and right.literal):
            return
        always = "never" if node.operator == "==" else "always"
        if left.sort != right.sort:
            self._report(node, f"{left} and {right} are never equal, so this {always} holds")
        elif left.choices and right.choices and not set(left.choices) & set(right.choices):
            declared_side, other = (right, left) if left.literal else (left, right)
            self._report_choices(node, declared_side, other.choices, always)

    def _check_word(self, node: Binary, name: str, other: Shape) -> None:
        """Report a name that nothing offers where it is one of the texts that the other side can be."""
        if name in other.choices and not other.literal:
            problem = f"`{name}` is no text but a name, and nothing offers it"
            self._report(node, problem, f"write '{name}' in quotes")

    def _check_membership(self, node: Binary, item: Shape | None, container: Shape | None) -> None:
        if container is None:
            return
        if container.sort in {"bool", "number"}:
            self._report(node, f"`in` needs a list, a map or a string on its right, but this is {container}")
        elif container.sort == "string" and item is not None and item.sort != "string":
            self._report(node, f"`in` looks for a string in a string, but this is {item}")
        if container.sort != "list" or item is None or container.item is None:
            return
        strangers = tuple(choice for choice in container.item.choices if choice not in item.choices)
        if container.literal and not item.literal and item.choices and strangers:
            self._report_choices(node, item, strangers, "never")
        known = container.item.choices
        if item.literal and not container.literal and known and item.choices and item.choices[0] not in known:
            self._report_choices(node, container.item, item.choices, "never")

    def _report_choices(self, node: Node, shape: Shape, given: tuple[str, ...], always: str) -> None:
        fix = self._suggestions.did_you_mean(given[0], shape.choices)
        what = listed(given)
        problem = f"the value is {shape} and never {what}"
        if always == "always":
            problem += ", so this always holds"
        self._report(node, problem, fix)

    def _check_order(self, node: Binary, left: Shape | None, right: Shape | None) -> None:
        for side in (left, right):
            if side is not None and side.sort not in {"number", "string"}:
                self._report(node, f"`{node.operator}` orders numbers or strings, but this is {side}")
                return
        if left is not None and right is not None and left.sort != right.sort:
            self._report(node, f"`{node.operator}` cannot order {left} and {right}")

    def _sum(self, node: Binary, left: Shape | None, right: Shape | None) -> Shape | None:
        for side in (left, right):
            if side is not None and side.sort not in SUMMABLE:
                self._report(
                    node, f"`+` needs two numbers, two strings or two lists, but this is {WORDS[side.sort]}"
                )
                return None
        if left is None or right is None:
            return None
        if left.sort != right.sort:
            one, other = WORDS[left.sort], WORDS[right.sort]
            self._report(
                node,
                f"`+` needs two numbers, two strings or two lists, but got {one} and {other}",
                "to join texts, write to_string() behind what is none",
            )
            return None
        return Shape(left.sort, literal=left.literal and right.literal)

    def _refuse_all_but_numbers(self, node: Node, side: Shape | None, operator: str) -> None:
        if side is not None and side.sort != "number":
            fix = "convert it with to_int() or to_float()" if side.sort == "string" else None
            self._report(node, f"`{operator}` needs numbers, but this is {WORDS[side.sort]}", fix)

    def _report(self, node: Node, problem: str, fix: str | None = None) -> None:
        self.faults.append(Fault(excerpt(self._source[node.start : node.end]), problem, fix))


def _of_literal(value: Value) -> Shape | None:
    if value is None:
        return None
    sort = sort_of(value)
    return Shape(sort, (value,) if isinstance(value, str) else (), literal=True)
