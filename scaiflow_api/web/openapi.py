"""What the OpenAPI document says beyond what FastAPI finds in the routes."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI

from scaiflow_api.web.errors import BodyTooLarge, MalformedRequest, UnsupportedMediaType, documented

_UNTOLD: Final = "Successful Response"
"""FastAPI's words for an answer of which its route says nothing."""
_DONE: Final = "done; the answer has no body"
# What the middleware answers, before there is a route.
_OF_BODIES: Final = documented(BodyTooLarge, UnsupportedMediaType)
_OF_ADDRESSES: Final = documented(MalformedRequest)
_ERROR: Final = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}


class DescribedApi(FastAPI):
    """An application whose document says what comes, and what becomes of a request that cannot be read."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document["components"]["schemas"]
            for operation in _operations(document):
                responses = operation["responses"]
                _say_what_comes(responses, schemas)
                if any(parameter["in"] in ("path", "query") for parameter in operation.get("parameters", [])):
                    _add_refusals(responses, _OF_ADDRESSES)
                if "requestBody" in operation:
                    _add_refusals(responses, _OF_BODIES)
                _say_how_errors_come(responses)
        return super().openapi()


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        yield from methods.values()


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


def _add_refusals(responses: dict[str, Any], refusals: dict[int | str, dict[str, Any]]) -> None:
    for status, refusal in refusals.items():
        known = responses.get(str(status), {}).get("description")
        codes = [code for code in (known, refusal["description"]) if code]
        responses[str(status)] = {"description": ", ".join(dict.fromkeys(codes)), "content": _ERROR}


def _say_how_errors_come(responses: dict[str, Any]) -> None:
    """Every error is JSON. FastAPI gives it the type of the route's own answer, such as a stream of events."""
    for status, response in responses.items():
        if int(status) >= HTTPStatus.BAD_REQUEST:
            response["content"] = {"application/json": next(iter(response["content"].values()))}
