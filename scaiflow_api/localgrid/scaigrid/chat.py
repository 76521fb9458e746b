"""Talking to a published Core as to any chat model: `/v1/inference/chat`, and OpenAI's address for it.

The Core is given the last text of the user as `message`, and all `messages`. What it answers is its output's
`response`, or else its output as text. Other models do not talk here: they only answer what flows ask.
"""

from typing import Any, Literal

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.grid import Grid, GridDep
from scaiflow_api.localgrid.scaicore.core_table import Core, Cores
from scaiflow_api.localgrid.scaicore.invocation import Execution
from scaiflow_api.localgrid.scaicore.invoke import run_core
from scaiflow_api.localgrid.scaigrid.auth import ModelUser
from scaiflow_api.localgrid.scaigrid.catalogue import is_served
from scaiflow_api.localgrid.scaigrid.envelope import MAX_NESTING, is_within, ok, read_json
from scaiflow_api.localgrid.scaigrid.errors import GridError, invalid
from scaiflow_api.localgrid.scaigrid.models import may_see
from scaiflow_api.localgrid.scaikey.people import Principal

router = APIRouter()


class ChatMessage(BaseModel):
    """One message; what else it holds is handed on."""

    model_config = ConfigDict(strict=True, extra="allow")

    role: str
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        """What it says; parts that are no text say nothing."""
        if not isinstance(self.content, list):
            return self.content or ""
        texts = (part.get("text") for part in self.content)
        return "".join(text for text in texts if isinstance(text, str))


class ChatMetadata(BaseModel):
    model_config = ConfigDict(strict=True)

    entity_id: str | None = Field(default=None, max_length=256)
    """Which instance of an entity Core goes on talking."""


class ChatRequest(BaseModel):
    """What is said. Settings of models, such as `temperature`, mean nothing to a Core."""

    model_config = ConfigDict(strict=True)

    model: str
    messages: list[ChatMessage]
    stream: Literal[False] = False
    metadata: ChatMetadata = Field(default_factory=ChatMetadata)


@router.post("/v1/inference/chat")
async def chat(request: Request, caller: ModelUser, grid: GridDep) -> Response:
    return ok(request, await _completion(request, caller, grid))


@router.post("/oai/v1/chat/completions")
async def complete_as_openai_does(request: Request, caller: ModelUser, grid: GridDep) -> Response:
    """Answer the same without ScaiGrid's envelope, which clients of OpenAI do not know. Errors have it."""
    completion = await _completion(request, caller, grid)
    return Response(orjson.dumps(completion), media_type="application/json")


async def _completion(request: Request, caller: Principal, grid: Grid) -> dict[str, Any]:
    body = await read_json(request, ChatRequest)
    asked = next((message.text for message in reversed(body.messages) if message.role == "user"), "")
    if not asked:
        raise invalid("the messages hold no text of the user", "messages")
    messages = [message.model_dump(exclude_unset=True) for message in body.messages]
    if not is_within(messages, MAX_NESTING):
        raise invalid(f"the messages are nested deeper than {MAX_NESTING}", "messages")
    core = await _published(grid, caller, body.model)
    execution = await run_core(
        core, grid, {"message": asked, "messages": messages}, instance_key=body.metadata.entity_id
    )
    answer = {"role": "assistant", "content": _text_of(_output_of(execution))}
    return {
        "id": execution.id,
        "object": "chat.completion",
        "created": int(grid.clock.now().timestamp()),
        "model": body.model,
        "choices": [{"index": 0, "message": answer, "finish_reason": "stop"}],
    }


async def _published(grid: Grid, caller: Principal, slug: str) -> Core:
    """Return the running Core that is published under a slug. Raises GridError."""
    published = await Cores(grid.store).published(caller.tenant.id)
    core = next((core for core in published if core.metadata["published_slug"] == slug), None)
    if core is None:
        if is_served(slug):
            raise GridError(503, "MODEL_UNAVAILABLE", "The local grid talks for published Cores only.")
        raise GridError(404, "MODEL_NOT_FOUND", f"There is no model {slug!r}.")
    if not may_see(caller, core):
        raise GridError(403, "MODEL_ACCESS_DENIED", f"The model {slug!r} is for other groups.")
    if core.status != "running":
        raise GridError(503, "MODEL_UNAVAILABLE", f"The Core is {core.status!r}; start it first.")
    return core


def _output_of(execution: Execution) -> Value:
    """Return what a run gave. Raises GridError where there is nothing to say, or not yet."""
    if execution.error is not None:
        raise GridError(502, "BACKEND_ERROR", f"{execution.error['code']}: {execution.error['message']}")
    if execution.status == "SUSPENDED":
        raise GridError(
            502, "BACKEND_ERROR", f"the run waits at the checkpoint {execution.checkpoint_id!r} for people"
        )
    if execution.status == "RUNNING":
        raise GridError(504, "BACKEND_TIMEOUT", f"the run {execution.id!r} has not ended yet")
    return execution.output


def _text_of(output: Value) -> str:
    response = output.get("response") if isinstance(output, dict) else output
    if isinstance(response, str):
        return response
    return "" if output is None else orjson.dumps(output).decode()
