"""One guarded or flexible block: bindings, guard, the call with its retries, the check of the answer."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.analysis.types import Type, TypeSyntaxError, parse_type
from scaiflow_api.expressions import Value, parse_duration, truthy
from scaiflow_api.localgrid.runtime.escalation import escalated
from scaiflow_api.localgrid.runtime.evaluation import evaluated, rendered, rendered_text
from scaiflow_api.localgrid.runtime.failures import BlockFailed, Policy, parse_policy
from scaiflow_api.localgrid.runtime.frame import Frame
from scaiflow_api.localgrid.runtime.lane import CutOff
from scaiflow_api.localgrid.runtime.model_calls import ModelFailed, ModelRequest, Models
from scaiflow_api.localgrid.runtime.names import local_names
from scaiflow_api.localgrid.runtime.types import TypeMismatch, coerce_fields

_POLICY_OF_GUARDED = frozenset({"VALIDATION_FAILED", "OUTPUT_INVALID", "GUARD_VIOLATION"})
"""What `on_validation_failure` is about."""
_FAULT_OF_THE_FLOW = frozenset({"EVALUATION_ERROR", "INVALID_TYPE"})
"""What `on_failure` is not about: no model had a part in it."""


class _Escalation(Exception):
    """The block's policy asks for a person."""

    def __init__(self, failure: BlockFailed) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class ModelBlockRun:
    """Executes one model block once."""

    block: ir.GuardedBlock | ir.FlexibleBlock
    module: ir.Module
    flow: ir.Flow
    run_input: Mapping[str, Value]
    frame: Frame
    models: Models

    async def execute(self, data: Mapping[str, Value]) -> Value:
        """Return the checked answer. Raises BlockFailed, `handled` when the block's policy says to go on."""
        policy, seconds = self._policy()
        try:
            async with asyncio.timeout(seconds) as limit:
                return await self._with_policy(data, policy)
        except _Escalation as escalation:
            # Outside of the budget, which is no limit for people.
            answer = await escalated(self.block, self.flow, self.frame, escalation.failure)
            return self._fitting(answer, _types(self.block.output_type), "the person's")
        except (TimeoutError, CutOff) as cut:
            if seconds is None or not (limit.expired() or isinstance(cut, CutOff)):
                raise
            raise BlockFailed(
                "BUDGET_EXCEEDED", f"the block took longer than its budget of {seconds:g} s"
            ) from None

    async def _with_policy(self, data: Mapping[str, Value], policy: Policy) -> Value:
        for attempt in range(policy.retries + 1):
            try:
                return await self._attempt(data, attempt)
            except CutOff:
                raise
            except BlockFailed as failure:
                if not self._is_covered(failure):
                    raise
                last = failure
                if failure.code == "GUARD_VIOLATION":
                    break  # the guard sees the same scope in every attempt
        if policy.then == "continue":
            raise BlockFailed(last.code, last.message, handled=True)
        if policy.then == "escalate":
            raise _Escalation(last)
        raise last

    def _is_covered(self, failure: BlockFailed) -> bool:
        if isinstance(self.block, ir.GuardedBlock):
            return failure.code in _POLICY_OF_GUARDED
        return failure.code not in _FAULT_OF_THE_FLOW

    def _policy(self) -> tuple[Policy, float | None]:
        if isinstance(self.block, ir.GuardedBlock):
            return parse_policy(self.block.on_validation_failure), None
        policy = parse_policy(self.block.on_failure)
        budget = self.block.budget if isinstance(self.block.budget, dict) else {}
        most, longest = budget.get("max_retries"), budget.get("max_duration")
        if isinstance(most, int) and not isinstance(most, bool):
            policy = Policy(min(policy.retries, max(most, 0)), policy.then)
        try:
            return policy, parse_duration(longest) if isinstance(longest, str) else None
        except ValueError as error:
            raise BlockFailed(
                "INVALID_POLICY", f"the budget's max_duration is no duration: {error}"
            ) from None

    async def _attempt(self, data: Mapping[str, Value], attempt: int) -> Value:
        block = self.block
        names = self.frame.names(data)
        inputs = {name: rendered(value, names) for name, value in block.input_bindings.items()}
        context = {name: rendered(value, names) for name, value in block.context_bindings.items()}
        local = {**local_names({**inputs, **context}), **data}
        if block.node_id is not None:
            self.frame.keep_local(block.node_id, local)
        guard = block.guard if isinstance(block, ir.GuardedBlock) else None
        if guard is not None and not truthy(evaluated(guard, self.frame.names(local))):
            raise BlockFailed("GUARD_VIOLATION", f"the guard does not hold: {guard}")
        value = await self._ask(self._request(local, inputs, context, attempt))
        if isinstance(block, ir.GuardedBlock) and block.validate is not None:
            self._validate(block.validate, {**local, "result": value, "output": value})
        return value

    def _validate(self, condition: str, local: Mapping[str, Value]) -> None:
        """Judge the result; one that the condition cannot be asked about is as invalid as one it denies."""
        try:
            holds = truthy(evaluated(condition, self.frame.names(local)))
        except BlockFailed as failure:
            raise BlockFailed(
                "VALIDATION_FAILED", f"the result cannot be validated: {failure.message}"
            ) from failure
        if not holds:
            raise BlockFailed("VALIDATION_FAILED", f"the result is not valid: {condition}")

    def _request(
        self,
        local: Mapping[str, Value],
        inputs: Mapping[str, Value],
        context: Mapping[str, Value],
        attempt: int,
    ) -> ModelRequest:
        block, names = self.block, self.frame.names(local)
        examples: Value = []
        persona = None
        if isinstance(block, ir.FlexibleBlock):
            examples = rendered(list(block.examples), names)
            persona = self.module.identity.persona if block.identity_ref else None
        return ModelRequest(
            goal=rendered_text(block.goal, names),
            inputs=inputs,
            context=context,
            run_input=self.run_input,
            output_type=_types(block.output_type),
            guidance=rendered_text(block.guidance, names) if block.guidance else None,
            constraints=rendered(block.constraints, names),
            examples=tuple(examples) if isinstance(examples, list) else (),
            persona=persona,
            attempt=attempt,
        )

    async def _ask(self, request: ModelRequest) -> Value:
        answer = await self.frame.lane.once(lambda: self._complete(request))
        return self._fitting(answer, request.output_type, "the model's")

    def _fitting(self, answer: Value, fields: Mapping[str, Type] | None, whose: str) -> Value:
        try:
            return answer if fields is None else coerce_fields(answer, fields)
        except TypeMismatch as mismatch:
            raise BlockFailed("OUTPUT_INVALID", f"{whose} answer does not fit: {mismatch}") from mismatch

    async def _complete(self, request: ModelRequest) -> Value:
        try:
            return await self.models.complete(self.block.llm_role, request)
        except ModelFailed as failed:
            raise BlockFailed(failed.code, failed.message) from failed


def _types(declared: Mapping[str, Any] | None) -> Mapping[str, Type] | None:
    try:
        return None if declared is None else {name: parse_type(str(text)) for name, text in declared.items()}
    except TypeSyntaxError as error:
        raise BlockFailed("INVALID_TYPE", str(error)) from None
