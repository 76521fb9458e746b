"""SF4xx: what a flow must not hold or do: secrets in plain text, commands that data could extend."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from scaiflow_api.compiler.diagnostics import WARNING, Rule, Sink, document_position
from scaiflow_api.compiler.graph.flow import FlowNode, FlowView
from scaiflow_api.compiler.kinds import compute_exec, sandbox, tool_http
from scaiflow_api.compiler.knowledge.secret_patterns import looks_like_secret, marks_of_secrets, names_secret
from scaiflow_api.expressions import ExpressionSyntaxError, parse_template
from scaiflow_api.flowgraph.problems import join_path

Way: TypeAlias = tuple[str | int, ...]

PLACE = {"position": {"x": 0, "y": 0}}
HTTP_CALL = f"{tool_http.ALIAS}.{tool_http.METHOD}"
SHELL_CALL = f"{sandbox.ALIAS}.{compute_exec.METHOD}"
CREDENTIAL_HEADERS = ("authorization", "proxy-authorization")
SECRET_PATH = re.compile(r"[A-Za-z0-9_.@+-]+(/[A-Za-z0-9_.@+-]+)*")
TYPED_BY_NAME = frozenset({"input_schema", "output_schema", "methods"})
"""Keys whose values map names to types: a field called `token` has a type there, not a value."""


def _answer(kind: str, config: dict[str, object]) -> dict[str, object]:
    entry = {"id": "node_entry", "type": "entry_api", "label": "API", **PLACE}
    return {
        "nodes": [entry, {"id": "node_answer", "type": kind, "label": "Answer", **PLACE, "config": config}]
    }


URL = "https://erp.example/orders"

LITERAL_AUTHORIZATION = Rule(
    "SF410",
    "literal-authorization",
    "node '{node}': {field} is written out",
    severity=WARNING,
    what="A request has an `Authorization` header whose value stands in the flow.",
    why="All who can read the flow can use it; it also reaches exports, versions and manifests.",
    example=_answer("tool_http", {"url": URL, "headers": {"Authorization": "Basic c2NhaTpmbG93"}}),
)
SECRET_NOT_A_PATH = Rule(
    "SF411",
    "secret-not-a-path",
    "node '{node}': {field} must be the path of a secret, such as 'erp/token'",
    what=(
        "The `secret` of a request's `auth` is not a plain relative path: it is empty, begins or ends with a "
        "slash, has a part `.` or `..`, a template, or a character other than letters, digits and `. _ @ + -`."
    ),
    why=(
        "The path is looked up below the tenant's own folder for flows, and nothing that a run receives may "
        "choose which secret is read."
    ),
    example=_answer("tool_http", {"url": URL, "auth": {"type": "bearer", "secret": "../admin/token"}}),
)
TEMPLATE_IN_SHELL = Rule(
    "SF412",
    "template-in-shell-command",
    "node '{node}': {field} is run by a shell and may hold no template",
    what="A `compute_exec` node has a command that is one text, and a template in it.",
    why="What a run receives could add commands of its own.",
    example=_answer("compute_exec", {"command": "grep {{ word }} /list.txt", "bunker": "{{ box }}"}),
)
LITERAL_SECRET = Rule(
    "SF420",
    "literal-secret",
    "{owner}: {field} holds a secret",
    severity=WARNING,
    what=(
        "A text in the flow has the form of a key, token, private key or password in a URL, or stands under a "
        "key that is called so (`password`, `secret`, `token`, `api_key`)."
    ),
    why=(
        "All who can read the flow can use it. Such a flow cannot be published to the catalog. The secret itself "
        "is not repeated here."
    ),
    example=_answer("tool_http", {"url": URL, "body": {"user": "erp", "password": "correct horse"}}),
)

RULES = (LITERAL_AUTHORIZATION, SECRET_NOT_A_PATH, TEMPLATE_IN_SHELL, LITERAL_SECRET)


def check(view: FlowView, sink: Sink) -> None:
    for node in view.nodes:
        call = _call_of(node)
        if call is not None:
            _check_request(node, call, sink)
            _check_command(node, call, sink)


def check_secrets(view: FlowView, sink: Sink) -> None:
    """Report secrets in plain text."""
    for way, node_id in _literal_secrets(view.document):
        inside = way[2:] if node_id is not None else way
        sink.report(
            LITERAL_SECRET,
            join_path(*way),
            node_id=node_id,
            fix="keep it in the vault, or let the caller send it",
            owner="the flow" if node_id is None else f"node '{node_id}'",
            field=join_path(*inside),
        )


def find_literal_secrets(document: object) -> list[tuple[str, str | None]]:
    """Return where a document holds a secret in plain text: the path, and the node it is part of, if any.

    Takes any JSON value. In the order of the document.
    """
    found = [(join_path(*way), node_id) for way, node_id in _literal_secrets(document)]
    return sorted(found, key=lambda item: document_position(item[0]))


class _Call(Struct, frozen=True):
    """A method that a node calls, with its arguments as the author wrote them."""

    method: str
    where: Way
    args: Mapping[str, Any]


def _call_of(node: FlowNode) -> _Call | None:
    config = node.config
    match node.type:
        case "tool_http":
            return _Call(HTTP_CALL, ("config",), config)
        case "compute_exec":
            return _Call(SHELL_CALL, ("config",), config)
        case "tool_plugin" if isinstance(config.get("args"), dict):
            return _Call(f"{config.get('plugin')}.{config.get('method')}", ("config", "args"), config["args"])
        case _:
            return None


def _check_request(node: FlowNode, call: _Call, sink: Sink) -> None:
    if call.method != HTTP_CALL:
        return
    headers, auth = call.args.get("headers"), call.args.get("auth")
    for name, value in headers.items() if isinstance(headers, dict) else ():
        if name.lower() in CREDENTIAL_HEADERS and isinstance(value, str) and not _holds_template(value):
            fix = "keep the credential in the vault and name it in auth"
            _report(LITERAL_AUTHORIZATION, node, (*call.where, "headers", name), fix, sink)
    if isinstance(auth, dict) and "secret" in auth and not _is_secret_path(auth["secret"]):
        fix = "write a path below the tenant's folder for flows, without templates"
        _report(SECRET_NOT_A_PATH, node, (*call.where, "auth", "secret"), fix, sink)


def _check_command(node: FlowNode, call: _Call, sink: Sink) -> None:
    command = call.args.get("command")
    if call.method == SHELL_CALL and isinstance(command, str) and _holds_template(command):
        fix = "write the command as a list; its parts may hold templates"
        _report(TEMPLATE_IN_SHELL, node, (*call.where, "command"), fix, sink)


def _report(rule: Rule, node: FlowNode, way: Way, fix: str, sink: Sink) -> None:
    field = join_path(*way)
    sink.report(rule, f"{node.path}.{field}", node_id=node.id, fix=fix, node=node.id, field=field)


def _is_secret_path(value: object) -> bool:
    if not isinstance(value, str) or SECRET_PATH.fullmatch(value) is None:
        return False
    return not any(part in (".", "..") for part in value.split("/"))


def _holds_template(text: str) -> bool:
    if "{{" not in text:
        return False
    try:
        return not parse_template(text).is_literal
    except ExpressionSyntaxError:
        return True


def _literal_secrets(document: object) -> Iterator[tuple[Way, str | None]]:
    marks = marks_of_secrets(document)
    if not isinstance(document, dict) or not marks:
        return
    for key, part in document.items():
        if key == "nodes" and isinstance(part, list):
            for index, node in enumerate(part):
                if marks_of_secrets(node, marks):
                    yield from _secrets_of_node(node, ("nodes", index))
        elif marks_of_secrets(part, marks):
            yield from ((way, None) for way in _scan(part, (key,), by_name=key == "config"))


def _secrets_of_node(node: object, way: Way) -> Iterator[tuple[Way, str | None]]:
    fields = node if isinstance(node, dict) else {}
    node_id = fields.get("id") if isinstance(fields.get("id"), str) else None
    references = _secret_references(fields)
    for key, part in fields.items():
        for found in _scan(part, (*way, key), by_name=key == "config", references=references):
            yield found, node_id


def _secret_references(node: Mapping[str, Any]) -> frozenset[Way]:
    """Return where, below the node, a key `secret` holds the path of one."""
    config = node.get("config")
    if node.get("type") == "tool_http":
        return frozenset({("config", "auth", "secret")})
    if node.get("type") == "tool_plugin" and isinstance(config, dict) and config.get("plugin") == "http":
        return frozenset({("config", "args", "auth", "secret")})
    return frozenset()


def _scan(
    value: object, way: Way, *, by_name: bool, references: frozenset[Way] = frozenset()
) -> Iterator[Way]:
    """Yield the way to every text that is a secret by its form or, if `by_name`, by the key it stands under.

    A key that is a secret itself is reported at what it is a key of, and what lies below is left alone: the way
    there would repeat it.
    """
    pending: list[tuple[Way, object, bool]] = [(way, value, by_name)]
    while pending:
        here, item, named = pending.pop()
        if isinstance(item, str):
            if looks_like_secret(item) or (named and _is_named_secret(here, item, references)):
                yield here
        elif isinstance(item, list):
            pending.extend(((*here, place), part, named) for place, part in enumerate(item))
        elif isinstance(item, dict):
            if any(map(looks_like_secret, item)):
                yield here
                continue
            pending.extend(
                ((*here, key), part, named and key not in TYPED_BY_NAME) for key, part in item.items()
            )


def _is_named_secret(way: Way, text: str, references: frozenset[Way]) -> bool:
    key = way[-1]
    if not isinstance(key, str) or not names_secret(key) or way[2:] in references:
        return False
    return bool(text.strip()) and "{{" not in text
