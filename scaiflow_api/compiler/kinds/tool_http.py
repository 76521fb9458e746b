"""`tool_http`: an HTTP request. It becomes a call of `http.request`, whose answer is `{status, headers, body}`."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema, model_validator

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import (
    JSON,
    TOOL,
    Config,
    Duration,
    FallibleConfig,
    StepKind,
    Surroundings,
    absent,
)
from scaiflow_api.compiler.kinds.own_keys import beyond_defaults, own_keys
from scaiflow_api.compiler.kinds.plugin_call import call_of, lower_call
from scaiflow_api.compiler.kinds.steps import without_defaults

ALIAS = "http"
METHOD = "request"

_HOST = re.compile(r"[^\s/\\<>\"`{}|^%]+")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ONE_STATUS = r"[1-5](?:[0-9]{2}|xx)"
_STATUSES = re.compile(rf"{_ONE_STATUS}(,{_ONE_STATUS})*")


def _url(text: str) -> str:
    if not text.lower().startswith(("http://", "https://", "{{")):
        raise ValueError("expected a URL that begins with http:// or https://, or with a template")
    if "{{" not in text and not _has_host(text):
        raise ValueError("the URL names no host that there can be")
    return text


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Reading the port finds out whether it is one.
        return parts.port != 0 and _HOST.fullmatch(parts.hostname or "") is not None
    except ValueError:
        return False


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name in headers:
        _header_name(name)
    return headers


def _header_name(name: str) -> str:
    if _HEADER.fullmatch(name) is None:
        raise ValueError("the name of a header has only letters, digits and dashes")
    return name


def _query(query: dict[str, JSON]) -> dict[str, JSON]:
    items = [item for value in query.values() for item in (value if isinstance(value, list) else [value])]
    if any(isinstance(item, list | dict) for item in items):
        raise ValueError("expected texts, numbers, true or false, or lists of them")
    return query


def _expect_status(value: JSON) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    plain = text.replace(" ", "") if isinstance(text, str) else ""
    if _STATUSES.fullmatch(plain) is None:
        raise ValueError("expected statuses such as 2xx, 200 or 200,201,4xx")
    return plain


ExpectStatus = Annotated[
    str,
    BeforeValidator(_expect_status),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": rf"^{_ONE_STATUS}( *, *{_ONE_STATUS})*$"},
                {"type": "integer", "minimum": 100, "maximum": 599},
            ]
        }
    ),
]


class HttpAuth(Config):
    """How the request proves who sends it, with a secret that lies in the vault."""

    type: Literal["bearer", "basic", "header"]
    """`basic` takes `user:password` from the secret, `header` sends it in the header `name`."""
    secret: str
    """Where the secret lies, relative to the tenant's folder for flows: `erp/token`."""
    name: Annotated[str, AfterValidator(_header_name)] | None = None
    """The name of the header; needed by `header`."""

    @model_validator(mode="after")
    def _names_its_header(self) -> "HttpAuth":
        if self.type == "header" and self.name is None:
            raise absent("name")
        return self


class ToolHttpConfig(FallibleConfig):
    """What is sent where, and which answer is one."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    """The method of the request."""
    url: Annotated[str, AfterValidator(_url)]
    """May hold templates."""
    headers: Annotated[dict[str, str], AfterValidator(_headers)] | None = None
    """Name → value; values may hold templates. Credentials belong into `auth`."""
    query: Annotated[dict[str, JSON], AfterValidator(_query)] | None = None
    """Name → value or list of values; texts may hold templates."""
    body: JSON = None
    """A text is sent as it is, anything else as JSON; texts may hold templates."""
    timeout: Duration = "30s"
    """How long the answer may take."""
    expect_status: ExpectStatus = "2xx"
    """The statuses that are no failure: `2xx`, `200`, `200,201,4xx`."""
    auth: HttpAuth | None = None
    """The credential that is sent along."""


def lower(config: ToolHttpConfig, around: Surroundings) -> ir.RigidBlock:
    args = own_keys(config)
    if config.auth is not None:
        args["auth"] = without_defaults(args["auth"])
    return lower_call(ALIAS, METHOD, args, around)


def config_of(block: ir.RigidBlock) -> dict[str, JSON]:
    return beyond_defaults(call_of(block).args, ToolHttpConfig)


TOOL_HTTP = StepKind(
    name="tool_http",
    title="HTTP Request",
    description="Sends an HTTP request.",
    category=TOOL,
    config=ToolHttpConfig,
    lower=lower,
    config_of=config_of,
    templates=("url", "headers", "query", "body"),
)
