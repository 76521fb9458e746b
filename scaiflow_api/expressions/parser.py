"""The parser: precedence climbing over the tokens, with bounded recursion.

Grammar and precedence are written down in `docs/expressions.md`. A `:` where an operand is expected begins a
symbol; where an operator is expected it belongs to `? :` or separates a key from its value.
"""

from functools import lru_cache

from scaiflow_api.expressions.cursor import WORD_OPERATORS, TokenCursor
from scaiflow_api.expressions.errors import ExpressionSyntaxError
from scaiflow_api.expressions.limits import MAX_CHARACTERS, MAX_NESTING
from scaiflow_api.expressions.literals import read_number, read_string
from scaiflow_api.expressions.names import free_names
from scaiflow_api.expressions.syntax import (
    Argument,
    Binary,
    Call,
    Conditional,
    Expression,
    Index,
    Lambda,
    ListLiteral,
    Literal,
    Logical,
    MapLiteral,
    Member,
    Name,
    Node,
    Unary,
)
from scaiflow_api.expressions.tokens import Token, TokenKind
from scaiflow_api.expressions.values import INT_MIN
from scaiflow_api.expressions.wording import found

_COALESCE, _OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _MINUS = range(1, 9)

_POWER = {
    "??": _COALESCE,
    "||": _OR,
    "&&": _AND,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in"), _COMPARISON),
    **dict.fromkeys(("+", "-"), _SUM),
    **dict.fromkeys(("*", "/", "%"), _PRODUCT),
}
_LOGICAL = frozenset({"??", "||", "&&"})
_CONSTANTS = {"true": True, "false": False, "null": None}
RESERVED_WORDS = frozenset({*_CONSTANTS, *WORD_OPERATORS})
"""Words that are no names."""

# Between two levels of brackets the right-hand sides of operators of rising precedence recurse as well. Three
# of them per level on average are more than anybody writes and keep the stacks of parser and evaluator small.
_MAX_DEPTH = 3 * MAX_NESTING


def parse(text: str) -> Expression:
    """Read an expression. Raises ExpressionSyntaxError, and nothing else, for text that is none."""
    if len(text) > MAX_CHARACTERS:
        raise ExpressionSyntaxError(
            f"Expected at most {MAX_CHARACTERS:,} characters, but the expression goes on", MAX_CHARACTERS
        )
    return _parse_short(text) if len(text) <= _SHORT else _parse(text)


def _parse(text: str) -> Expression:
    root = _Parser(text).whole()
    return Expression(text, free_names(root), root)


_SHORT = 200
_parse_short = lru_cache(maxsize=4096)(_parse)
"""A flow is checked again and again while somebody edits it, and one expression occurs in many nodes."""


class _Parser(TokenCursor):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nesting = 0
        self._depth = 0

    def whole(self) -> Node:
        if self.at_end:
            raise self.complaint("Expected an expression, but found nothing")
        root = self._expression()
        if not self.at_end:
            raise self.unexpected("an operator or the end of the expression")
        return root

    # Operators, loosest first

    def _expression(self) -> Node:
        """Read a chain of conditionals in a loop: `a ? b : c ? d : e` nests in the tree, not on the stack."""
        arms: list[tuple[int, Node, Node]] = []
        while True:
            start = self.current.start
            node = self._operation(_COALESCE)
            question = self.current
            if not self.accept("?"):
                break
            then = self._inside()
            if not self.accept(":"):
                raise self.unexpected(f"`:` and a second branch for the `?` at position {question.start}")
            arms.append((start, node, then))
        end = self.last_end
        for start, condition, then in reversed(arms):
            node = Conditional(start, end, condition, then, node)
        return node

    def _operation(self, minimum: int) -> Node:
        """Read operands and the operators between them that bind at least as tightly as `minimum`."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._too_deep()
        start = self.current.start
        left = self._prefix(minimum)
        while (power := _POWER.get(operator := self.operator, 0)) >= minimum:
            self.advance()
            right = self._operation(power + 1)
            node = Logical if operator in _LOGICAL else Binary
            left = node(start, self.last_end, left, operator, right)
            if power == _COMPARISON and _POWER.get(self.operator) == _COMPARISON:
                raise self.complaint(
                    f"Expected the comparison to end, but found {found(self.current)}",
                    "Comparisons do not chain; join two of them with `&&`.",
                )
        self._depth -= 1
        return left

    def _prefix(self, minimum: int) -> Node:
        token, operator = self.current, self.operator
        if operator == "!":
            if minimum > _NOT:
                raise self.complaint(
                    f"Expected a value, but found {found(token)}",
                    f"`{token.text}` binds looser than the operator before it; write it in parentheses.",
                )
            return self._unary(token, operator, _NOT)
        if operator == "-":
            following = self.following()
            if following.kind is TokenKind.NUMBER and self._is_smallest_int(following):
                self.advance(2)
                return Literal(token.start, following.end, INT_MIN)
            return self._unary(token, operator, _MINUS)
        return self._postfix()

    def _unary(self, token: Token, operator: str, power: int) -> Node:
        self._enter()
        self.advance()
        operand = self._operation(power)
        self._nesting -= 1
        return Unary(token.start, self.last_end, operator, operand)

    def _is_smallest_int(self, token: Token) -> bool:
        """Tell whether `-` and this token are the one int whose positive twin does not exist."""
        following = self.following(2)
        continues = any(following.is_operator(text) for text in (".", "["))
        return not continues and read_number(token, largest=-INT_MIN) == -INT_MIN

    def _postfix(self) -> Node:
        start = self.current.start
        node = self._primary()
        while True:
            opening = self.current
            if self.accept("."):
                name = self._member_name()
                if self.current.is_operator("("):
                    arguments = self._arguments()
                    node = Call(start, self.last_end, node, name, arguments)
                else:
                    node = Member(start, self.last_end, node, name)
            elif self.accept("["):
                index = self._inside()
                self.close(opening, "]")
                node = Index(start, self.last_end, node, index)
            elif opening.is_operator("("):
                raise self.unexpected("an operator", "Only methods are called, on a value: `name.upper()`.")
            else:
                return node

    def _member_name(self) -> str:
        token = self.current
        if token.kind is TokenKind.NAME:
            self.advance()
            return token.text
        advice = "Write `[…]` around an index." if token.kind in {TokenKind.NUMBER, TokenKind.STRING} else ""
        raise self.unexpected("a member's name after the `.`", advice)

    # Operands

    def _primary(self) -> Node:
        token = self.current
        if token.kind is TokenKind.NUMBER:
            self.advance()
            return Literal(token.start, token.end, read_number(token))
        if token.kind is TokenKind.STRING:
            self.advance()
            return Literal(token.start, token.end, read_string(token))
        if token.kind is TokenKind.NAME:
            return self._word()
        if self.accept("("):
            node = self._inside()
            self.close(token, ")")
            return node
        if self.accept("["):
            return self._list(token)
        if self.accept("{"):
            return self._map(token)
        if self.accept(":"):
            return self._symbol(token)
        raise self.no_operand()

    def _word(self) -> Node:
        token = self.current
        if token.text in WORD_OPERATORS:
            raise self.no_operand()
        self.advance()
        if token.text in _CONSTANTS:
            return Literal(token.start, token.end, _CONSTANTS[token.text])
        return Name(token.start, token.end, token.text)

    def _symbol(self, colon: Token) -> Node:
        name = self.current
        if name.kind is not TokenKind.NAME or name.start != colon.end:
            self.advance(-1)
            raise self.no_operand()
        self.advance()
        return Literal(colon.start, name.end, name.text)

    def _list(self, opening: Token) -> Node:
        items: list[Node] = []
        while not self.accept("]"):
            items.append(self._inside())
            if not self.accept(","):
                self.close(opening, "]", or_comma=True)
                break
        return ListLiteral(opening.start, self.last_end, tuple(items))

    def _map(self, opening: Token) -> Node:
        entries: dict[str, Node] = {}
        while not self.accept("}"):
            key = self._key(entries)
            if not (self.accept(":") or self.accept("=")):
                raise self.unexpected(f"`:` or `=` after the key `{key}`")
            entries[key] = self._inside()
            if not self.accept(","):
                self.close(opening, "}", or_comma=True)
                break
        return MapLiteral(opening.start, self.last_end, tuple(entries.items()))

    def _key(self, entries: dict[str, Node]) -> str:
        token = self.current
        if token.kind not in {TokenKind.NAME, TokenKind.STRING}:
            raise self.unexpected("a key, which is a name or a string")
        key = token.text if token.kind is TokenKind.NAME else read_string(token)
        if key in entries:
            raise self.complaint(f"Expected another key, but found `{key}` a second time")
        self.advance()
        return key

    # Arguments of a method

    def _arguments(self) -> tuple[Argument, ...]:
        opening = self.current
        self.advance()
        arguments: list[Argument] = []
        while not self.accept(")"):
            arguments.append(self._argument(arguments))
            if not self.accept(","):
                self.close(opening, ")", or_comma=True)
                break
        return tuple(arguments)

    def _argument(self, earlier: list[Argument]) -> Argument:
        token, following = self.current, self.following()
        name = None
        if token.kind is TokenKind.NAME and following.is_operator("="):
            name = token.text
            if any(argument.name == name for argument in earlier):
                raise self.complaint(f"Expected another argument, but found `{name}` a second time")
            self.advance(2)
        elif earlier and earlier[-1].name is not None:
            raise self.unexpected("a named argument", "Arguments without a name come first.")
        token, following = self.current, self.following()
        if token.kind is not TokenKind.NAME or not following.is_operator("=>"):
            return Argument(self._inside(), name)
        if token.text in RESERVED_WORDS:
            raise self.unexpected("a name for the lambda's parameter")
        self.advance(2)
        body = self._inside()
        return Argument(Lambda(token.start, self.last_end, token.text, body), name)

    # Bounds

    def _inside(self) -> Node:
        """Read an expression that stands inside another one."""
        self._enter()
        node = self._expression()
        self._nesting -= 1
        return node

    def _enter(self) -> None:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise self._too_deep()

    def _too_deep(self) -> ExpressionSyntaxError:
        return self.complaint(f"Expected at most {MAX_NESTING} levels of nesting, but found a deeper one")
