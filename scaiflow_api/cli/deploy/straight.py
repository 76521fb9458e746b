"""`scaiflow deploy FLOW`: straight to ScaiGrid, with a key; needs no ScaiFlow and no database."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict

from pydantic import SecretStr

from scaiflow_api.cli.deploy.outcome import refused, report
from scaiflow_api.cli.environment import load_settings
from scaiflow_api.cli.failure import Unusable
from scaiflow_api.cli.flows.documents import FlowFile, read_flow
from scaiflow_api.cli.flows.findings import show, tell, too_large
from scaiflow_api.compiler import CompileError
from scaiflow_api.domains.deploy.release import Release
from scaiflow_api.domains.deploy.rollout import (
    CORE,
    PUBLISHED,
    QUEUES,
    RUNNING,
    KnownCore,
    LiveFlow,
    Progress,
    Rollout,
    RolloutLimits,
)
from scaiflow_api.flowgraph.limits import FlowTooLarge
from scaiflow_api.kit.errors import AppError
from scaiflow_api.kit.logging import configure_logging
from scaiflow_api.settings import ScaiGrid as ScaiGridSettings
from scaiflow_api.upstreams.addresses import UnusableAddress, base_url_of
from scaiflow_api.upstreams.base import open_client
from scaiflow_api.upstreams.credentials import Access
from scaiflow_api.upstreams.scaigrid import ScaiGrid

PUBLIC = "https://scaigrid.scailabs.ai"
_STEPS = {
    QUEUES: "setting up the queues",
    CORE: "sending the manifest",
    RUNNING: "waiting until the Core runs",
    PUBLISHED: "publishing the chat model",
}


def deploy_straight(
    flow: str,
    *,
    publish_as_model: bool | None,
    group_ids: Sequence[str] | None,
    api_key: str | None,
    base_url: str | None,
    as_json: bool,
) -> int:
    """Deploy a file. Return 1, having said why, for a flow with errors.

    Raises Unusable for what the command was given, CommandFailed for what ScaiGrid made of it.
    """
    file = read_flow(flow)
    settings = load_settings().scaigrid
    key = _key(api_key, settings)
    settings = settings.model_copy(update={"base_url": _address(base_url or settings.base_url or PUBLIC)})
    release = _compiled(file, publish_as_model, group_ids)
    if release is None:
        return 1
    configure_logging("ERROR")  # what fails is said in a sentence
    try:
        live = asyncio.run(_roll_out(release, settings, key))
    except AppError as failure:
        raise refused(failure.detail(), as_json=as_json) from None
    outcome = {
        "core_id": live.core.id,
        "published_slug": live.core.published_slug,
        "published_model_id": live.core.published_model_id,
        "scaiqueue_provisioning": asdict(live.queues) if live.queues else None,
    }
    report(outcome, as_json=as_json)
    return 0


def _key(given: str | None, settings: ScaiGridSettings) -> SecretStr:
    text = (given if given is not None else _secret(settings.api_key)).strip()
    if not text:
        raise Unusable("no ScaiGrid key: set SCAIGRID_API_KEY, or give one with --api-key")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise Unusable("the ScaiGrid key has characters that no key has")
    return SecretStr(text)


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""


def _address(text: str) -> str:
    try:
        return base_url_of(text, allow_http=True)
    except UnusableAddress as reason:
        raise Unusable(f"the address of ScaiGrid {reason}: --base-url, or SCAIGRID_BASE_URL") from None


def _compiled(
    file: FlowFile, publish_as_model: bool | None, group_ids: Sequence[str] | None
) -> Release | None:
    try:
        release = Release.of(file.document, publish_as_model=publish_as_model, group_ids=group_ids)
    except CompileError as failure:
        show(file, failure.diagnostics, sys.stderr)
        return None
    except FlowTooLarge as refusal:
        show(file, [too_large(refusal)], sys.stderr)
        return None
    show(file, release.findings, sys.stderr)
    return release


async def _roll_out(release: Release, settings: ScaiGridSettings, key: SecretStr) -> LiveFlow:
    async with open_client(settings) as http:
        access = Access(ScaiGrid(http, settings), key)
        rollout = Rollout(access, release, RolloutLimits.of(settings))
        # Nobody keeps a history here: whether there is a Core of this flow, only ScaiGrid can tell.
        known = KnownCore(may_exist=release.flow_id is not None)
        return await rollout.run(known, Progress(before_step=lambda step: tell(f"{_STEPS[step]} …")))
