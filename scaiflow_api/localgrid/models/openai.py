"""Any endpoint that speaks OpenAI's chat completions."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.runtime.model_calls import ModelChoice, ModelFailed, ModelRequest
from scaiflow_api.localgrid.runtime.types import is_closed, json_schema

_MAX_ANSWER_BYTES = 4 * 1024 * 1024
_CODES = {
    404: "MODEL_NOT_FOUND",
    429: "BACKEND_RATE_LIMITED",
    503: "MODEL_UNAVAILABLE",
    504: "BACKEND_TIMEOUT",
}


class OpenAIModel:
    """Asks one endpoint. Implements `ModelProvider`."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, key: str | None) -> None:
        self._client = client
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def complete(self, choice: ModelChoice, request: ModelRequest) -> Value:
        body = await self._post(_question(choice, request), choice.model)
        content = _content(body)
        if request.output_type is None:
            return content
        try:
            answer: Value = orjson.loads(content)
        except orjson.JSONDecodeError:
            raise ModelFailed("OUTPUT_INVALID", "the model's answer is no JSON") from None
        return answer

    async def _post(self, question: Mapping[str, Any], model: str) -> Any:
        try:
            async with self._client.stream(
                "POST", self._url, json=question, headers=self._headers
            ) as response:
                status, content = response.status_code, await _read(response)
        except httpx.TimeoutException:
            raise ModelFailed(
                "BACKEND_TIMEOUT", "the model endpoint did not answer in time", unavailable=True
            ) from None
        except httpx.HTTPError as error:
            message = f"the model endpoint cannot be reached: {type(error).__name__}"
            raise ModelFailed("MODEL_UNAVAILABLE", message, unavailable=True) from None
        if status != 200:
            reason = "refused the key" if status in {401, 403} else f"answered {status}"
            code = _CODES.get(status, "BACKEND_ERROR")
            raise ModelFailed(code, f"the model endpoint {reason} for {model!r}", unavailable=True)
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            raise ModelFailed("UPSTREAM_SHAPE_MISMATCH", "the model endpoint's answer is no JSON") from None


async def _read(response: httpx.Response) -> bytes:
    content = bytearray()
    async for part in response.aiter_bytes():
        content += part
        if len(content) > _MAX_ANSWER_BYTES:
            raise ModelFailed("UPSTREAM_SHAPE_MISMATCH", "the model endpoint's answer is too long")
    return bytes(content)


def _content(body: Any) -> str:
    try:
        message = body["choices"][0]["message"]
        if message.get("refusal"):
            raise ModelFailed("MODEL_REFUSED", "the model refused to answer")
        content = message["content"]
    except (KeyError, IndexError, TypeError, AttributeError):
        content = None
    if not isinstance(content, str):
        raise ModelFailed("UPSTREAM_SHAPE_MISMATCH", "the model endpoint's answer holds no message")
    return content


def _question(choice: ModelChoice, request: ModelRequest) -> dict[str, Any]:
    question: dict[str, Any] = {
        "model": choice.model,
        "messages": [
            {"role": "system", "content": _instructions(choice, request)},
            {"role": "user", "content": _given(request)},
        ],
    }
    if choice.temperature is not None:
        question["temperature"] = choice.temperature
    if request.output_type is not None:
        question["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": "output",
                "schema": json_schema(request.output_type),
                "strict": all(map(is_closed, request.output_type.values())),
            },
        }
    return question


def _instructions(choice: ModelChoice, request: ModelRequest) -> str:
    parts = [choice.system_context, request.persona and f"You are {request.persona}.", request.goal]
    parts.append(request.guidance)
    if request.constraints:
        parts.append(f"Constraints: {_as_text(request.constraints)}")
    parts.extend(f"Example: {_as_text(example)}" for example in request.examples)
    if request.output_type is not None:
        fields = ", ".join(f"{name}: {type_}" for name, type_ in request.output_type.items())
        parts.append(f"Answer with one JSON object with the fields {fields}.")
    return "\n\n".join(part for part in parts if part)


def _given(request: ModelRequest) -> str:
    given = {"input": dict(request.inputs), "context": dict(request.context)}
    return json.dumps(
        {name: value for name, value in given.items() if value} or {"input": dict(request.run_input)}
    )


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
