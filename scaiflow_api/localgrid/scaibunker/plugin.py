"""The plugin `scaibunker`: the sandboxes of a run."""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Literal

import orjson
from pydantic import BeforeValidator, Field

from scaiflow_api.expressions import Value
from scaiflow_api.localgrid.runtime.failures import BlockFailed
from scaiflow_api.localgrid.scaibunker.bunker_table import BunkerSpec
from scaiflow_api.localgrid.scaibunker.bunkers import Bunkers
from scaiflow_api.localgrid.scaibunker.commands import CommandDone, Commands
from scaiflow_api.localgrid.scaicore.invocation import Invocation
from scaiflow_api.localgrid.scaicore.plugin_args import (
    Args,
    MaybeText,
    Text,
    call_method,
    read_args,
)

ALIAS = "scaibunker"
_SHOWN_OUTPUT = 1000


def _bunker_id(handle: Value) -> Value:
    """Return the id of a handle: what `create` answered, or an id."""
    if isinstance(handle, dict):
        handle = handle.get("id", handle.get("bunker_id"))
    if not isinstance(handle, str) or not handle:
        raise ValueError("this is no sandbox; let a compute_provision lead to the node")
    return handle


Handle = Annotated[str, BeforeValidator(_bunker_id)]


class CreateArgs(Args):
    image: Text
    lifecycle: Literal["ephemeral", "session", "persistent", "appliance"] = "ephemeral"
    cpu_millicores: Annotated[int, Field(ge=1, le=16_000)] = 1000
    memory_mb: Annotated[int, Field(ge=16, le=16_384)] = 512
    disk_mb: Annotated[int, Field(ge=1, le=16_384)] = 1024
    gpu_count: Annotated[int, Field(ge=0)] = 0
    network_profile: Literal["isolated", "registry", "allowlisted", "unrestricted", "transit"] = "registry"
    env_vars: dict[str, Text] | None = None


class InBunkerArgs(Args):
    bunker: Annotated[Handle, Field(validate_default=True)] = ""
    """The compiler names one only where a compute_provision leads to the node."""


class ExecArgs(InBunkerArgs):
    command: list[Text] | str
    timeout_s: Annotated[float, Field(gt=0)] = 30
    workdir: MaybeText = None
    env: dict[str, Text] | None = None
    parse: Literal["auto", "json", "text"] = "auto"


class WriteArgs(InBunkerArgs):
    path: Text
    content: Text = ""
    content_base64: MaybeText = None


class ReadArgs(InBunkerArgs):
    path: Text
    encoding: Literal["utf-8", "base64"] = "utf-8"


class BunkerPlugin:
    """Implements `Plugin` for one run."""

    def __init__(self, bunkers: Bunkers, invocation: Invocation, execution_id: str) -> None:
        self._bunkers = bunkers
        self._invocation = invocation
        self._execution_id = execution_id
        self._commands = Commands(bunkers, invocation.core.tenant_id)
        self._methods = {
            "create": self._create,
            "exec": self._exec,
            "write_file": self._write_file,
            "read_file": self._read_file,
            "destroy": self._destroy,
        }

    async def call(self, method: str, args: Mapping[str, Value]) -> Value:
        """Do what the method says. Raises BlockFailed."""
        return await call_method(ALIAS, self._methods, method, args)

    async def _create(self, given: Mapping[str, Value]) -> Value:
        """Return the bunker. One that outlives the run is found again by the same node of a later one."""
        args = read_args(CreateArgs, given)
        if args.lifecycle == "appliance":
            raise BlockFailed("LIFECYCLE_MODE_DENIED", "there are no appliances on this grid")
        spec = BunkerSpec(
            image=args.image,
            lifecycle_mode=args.lifecycle,
            network_profile=args.network_profile,
            cpu_millicores=args.cpu_millicores,
            memory_mb=args.memory_mb,
            disk_mb=args.disk_mb,
            gpu_count=args.gpu_count,
            session_type="scaicore",
            session_ref=self._session_ref(args.lifecycle),
            env_vars=args.env_vars or {},
        )
        tenant_id = self._invocation.core.tenant_id
        found = await self._bunkers.find(tenant_id, spec) if spec.session_ref != self._execution_id else None
        bunker = found or await self._bunkers.create(tenant_id, spec)
        return bunker.as_dict()

    def _session_ref(self, lifecycle: str) -> str:
        """Return what a bunker lives for: the run, the conversation, or the Core."""
        core_id, key = self._invocation.core.id, self._invocation.instance_key
        if lifecycle == "persistent":
            return core_id
        return f"{core_id}/{key}" if lifecycle == "session" and key is not None else self._execution_id

    async def _exec(self, given: Mapping[str, Value]) -> Value:
        args = read_args(ExecArgs, given)
        done = await self._commands.execute(
            args.bunker, args.command, timeout_s=args.timeout_s, env=args.env or {}, workdir=args.workdir
        )
        if done.exit_code != 0:
            raise _failed(done)
        return _parsed(done, args.parse)

    async def _write_file(self, given: Mapping[str, Value]) -> Value:
        args = read_args(WriteArgs, given)
        await self._commands.write_file(args.bunker, args.path, _content(args))
        return None

    async def _read_file(self, given: Mapping[str, Value]) -> Value:
        args = read_args(ReadArgs, given)
        content = await self._commands.read_file(args.bunker, args.path)
        if content is None:
            raise BlockFailed("BUNKER_FILE_REFUSED", f"{args.path} is a folder")
        if args.encoding == "base64":
            return base64.b64encode(content).decode()
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise BlockFailed("BUNKER_FILE_REFUSED", f"{args.path} is no UTF-8; read it as base64") from None

    async def _destroy(self, given: Mapping[str, Value]) -> Value:
        args = read_args(InBunkerArgs, given)
        await self._bunkers.destroy(self._invocation.core.tenant_id, args.bunker)
        return None


def _content(args: WriteArgs) -> bytes:
    if args.content_base64 is None:
        return args.content.encode()
    try:
        return base64.b64decode(args.content_base64, validate=True)
    except (binascii.Error, ValueError):
        raise BlockFailed("INVALID_ARGUMENTS", "content_base64: this is no base64") from None


def _failed(done: CommandDone) -> BlockFailed:
    """Return the failure of a command, with the end of what it said."""
    said = (done.stderr or done.stdout).strip()[-_SHOWN_OUTPUT:]
    if done.stopped is not None:
        return BlockFailed("COMMAND_STOPPED", f"the command was ended: {done.stopped}; {said}".rstrip("; "))
    return BlockFailed("COMMAND_FAILED", f"the command exited with {done.exit_code}: {said}".rstrip(": "))


def _parsed(done: CommandDone, parse: str) -> Value:
    if parse == "text":
        return done.stdout
    try:
        value: Value = orjson.loads(done.stdout)
    except orjson.JSONDecodeError as error:
        if parse == "json":
            raise BlockFailed("OUTPUT_INVALID", f"the command's output is no JSON: {error}") from None
        return {"exit_code": done.exit_code, "stdout": done.stdout, "stderr": done.stderr}
    return value
