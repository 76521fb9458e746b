"""What the OpenAPI document says beyond what FastAPI finds in the routes."""

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI

from scaiflow_api.auth.errors import (
    AccountNotActive,
    InsufficientRole,
    InvalidToken,
    NotAuthenticated,
    PermissionDenied,
)
from scaiflow_api.db.errors import DatabaseUnavailable
from scaiflow_api.upstreams.errors import (
    ScaiGridApi,
    ScaiGridAuth,
    ScaiGridBusy,
    ScaiGridNotConfigured,
    ScaiGridTimeout,
    ScaiKeyNotConfigured,
    ScaiKeyUnavailable,
)
from scaiflow_api.web.errors import (
    BodyTooLarge,
    InternalError,
    InvalidRequest,
    MalformedRequest,
    UnsupportedMediaType,
    documented,
)
from scaiflow_api.web.routes import RouteRule, rules

_UNTOLD: Final = "Successful Response"
"""FastAPI's words for an answer of which its route says nothing."""
_DONE: Final = "done; the answer has no body"
OF_ALL: Final = documented(InvalidRequest, InternalError)
"""What an application gives its routes, or FastAPI would tell of an error of its own."""
# What is answered before a route's own code is asked.
_OF_BODIES: Final = documented(BodyTooLarge, UnsupportedMediaType)
_OF_TEXTS: Final = documented(MalformedRequest)
_OF_TOKENS: Final = documented(
    NotAuthenticated,
    InvalidToken,
    AccountNotActive,
    ScaiKeyUnavailable,
    ScaiKeyNotConfigured,
    DatabaseUnavailable,
)
_OF_PERMISSIONS: Final = documented(
    PermissionDenied, ScaiGridAuth, ScaiGridApi, ScaiGridBusy, ScaiGridNotConfigured, ScaiGridTimeout
)
_OF_ROLES: Final = documented(InsufficientRole)
_ERROR: Final = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}


class DescribedApi(FastAPI):
    """An application whose document says what comes, and what becomes of a request that cannot be read."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document["components"]["schemas"]
            asked = {(rule.path, rule.method): rule for rule in rules(self)}
            for path, methods in document["paths"].items():
                for method, operation in methods.items():
                    responses = operation["responses"]
                    rule = asked[path, method.upper()]
                    _say_who_may(operation, rule)
                    _say_what_streams(responses)
                    _say_what_comes(responses, schemas)
                    _say_what_is_refused(operation, rule)
                    _say_how_errors_come(responses)
        return super().openapi()


def _say_who_may(operation: dict[str, Any], rule: RouteRule) -> None:
    """Tell what the caller needs. Where a role is named, it or a higher one is meant."""
    needs = [f"the role `{rule.role}`"] if rule.role else []
    needs += [f"the permission `{rule.permission}`"] if rule.permission else []
    needs += [f"`{rule.acl}` access to the flow"] if rule.acl else []
    if needs:
        operation["description"] += f"\n\nNeeds {' and '.join(needs)}."


def _say_what_streams(responses: dict[str, Any]) -> None:
    """Describe a stream as a text: the word that FastAPI has for its items belongs to OpenAPI 3.2."""
    for response in responses.values():
        for media in response.get("content", {}).values():
            if media.pop("itemSchema", None) is not None:
                media["schema"] = {"type": "string"}


def _say_what_comes(responses: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Describe an answer by its models, each of which says in its first line what it is."""
    for status, response in responses.items():
        if response["description"] != _UNTOLD:
            continue
        if status == "204":
            response["description"] = _DONE
            continue
        schema = response["content"]["application/json"]["schema"]
        names = [ref["$ref"].rpartition("/")[2] for ref in schema.get("anyOf", [schema]) if "$ref" in ref]
        told = [schemas[name]["description"].partition("\n")[0] for name in names]
        response["description"] = " Or: ".join(told)


def _say_what_is_refused(operation: dict[str, Any], rule: RouteRule) -> None:
    """Add what a request may meet on the way to its route."""
    responses, places = operation["responses"], {found["in"] for found in operation.get("parameters", [])}
    with_body = "requestBody" in operation
    if not places and not with_body:
        del responses["422"]
    for refusals, applies in (
        (OF_ALL, places or with_body),
        (_OF_TEXTS, with_body or places & {"path", "query"}),
        (_OF_BODIES, with_body),
        (_OF_TOKENS, not rule.public),
        (_OF_PERMISSIONS, rule.permission),
        (_OF_ROLES, rule.role),
    ):
        if applies:
            _add(responses, refusals)


def _add(responses: dict[str, Any], refusals: dict[int | str, dict[str, Any]]) -> None:
    for status, refusal in refusals.items():
        told = (responses.get(str(status), {}).get("description"), refusal["description"])
        codes = dict.fromkeys(code for codes in told if codes for code in codes.split(", "))
        responses[str(status)] = {"description": ", ".join(codes), "content": _ERROR}


def _say_how_errors_come(responses: dict[str, Any]) -> None:
    """Every error is JSON. FastAPI gives it the type of the route's own answer, such as a stream of events."""
    for status, response in responses.items():
        if int(status) >= HTTPStatus.BAD_REQUEST:
            response["content"] = {"application/json": next(iter(response["content"].values()))}
