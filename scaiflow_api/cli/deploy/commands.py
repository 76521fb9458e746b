"""The command for deploying and its options."""

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Mapping

from scaiflow_api.cli.failure import Unusable
from scaiflow_api.cli.flows.commands import FLOW
from scaiflow_api.cli.register import Commands

_STRAIGHT = {"api_key": "--api-key", "base_url": "--base-url"}
_THROUGH_THE_API = {"token": "--token", "flow_id": "--flow-id", "message": "--message"}


def register(commands: Commands) -> None:
    """List the command."""
    deploy = commands.add(
        "deploy",
        _deploy,
        "Compile a flow and run it in ScaiGrid: straight there, or with --api through ScaiFlow's API.",
    )
    deploy.add_argument("flow", metavar="FLOW", help=FLOW)
    deploy.add_argument(
        "--publish-as-model",
        action=BooleanOptionalAction,
        default=None,
        help="offer it as a chat model (default: what the flow's config says)",
    )
    deploy.add_argument(
        "--group-id",
        metavar="ID",
        action="append",
        dest="group_ids",
        help="a group that may use the model, several by repeating it (default: what the flow's config says)",
    )
    deploy.add_argument("--json", action="store_true", help="print the outcome as JSON")
    _add_straight(deploy)
    _add_through_the_api(deploy)


def _add_straight(deploy: ArgumentParser) -> None:
    deploy.add_argument(
        "--api-key",
        metavar="TEXT",
        help="a ScaiGrid key; better in SCAIGRID_API_KEY, where others on this machine do not see it",
    )
    deploy.add_argument(
        "--base-url", metavar="URL", help="ScaiGrid (default: SCAIGRID_BASE_URL, else the public one)"
    )


def _add_through_the_api(deploy: ArgumentParser) -> None:
    deploy.add_argument(
        "--api", metavar="URL", help="save the flow at this ScaiFlow, if it changed, and deploy it from there"
    )
    deploy.add_argument(
        "--token", metavar="TEXT", help="with --api: an access token; better in SCAIFLOW_TOKEN"
    )
    deploy.add_argument(
        "--flow-id",
        metavar="ID",
        help="with --api: the flow to save to (default: the one with the file's id, else your only one with its"
        " name, else a new one)",
    )
    deploy.add_argument("--message", metavar="TEXT", help="with --api: what the new version says of itself")


def _deploy(options: Namespace) -> int:
    if options.api is None:
        _refuse(options, _THROUGH_THE_API, "goes only with --api")
        from scaiflow_api.cli.deploy.straight import deploy_straight

        return deploy_straight(
            options.flow,
            publish_as_model=options.publish_as_model,
            group_ids=options.group_ids,
            api_key=options.api_key,
            base_url=options.base_url,
            as_json=options.json,
        )
    _refuse(options, _STRAIGHT, "does not go with --api")
    from scaiflow_api.cli.deploy.through_api import deploy_through_api

    return deploy_through_api(
        options.flow,
        publish_as_model=options.publish_as_model,
        group_ids=options.group_ids,
        url=options.api,
        token=options.token,
        flow_id=options.flow_id,
        message=options.message,
        as_json=options.json,
    )


def _refuse(options: Namespace, names: Mapping[str, str], how: str) -> None:
    for name, option in names.items():
        if getattr(options, name) is not None:
            raise Unusable(f"{option} {how}")
