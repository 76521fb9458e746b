"""The command for deploying and its options."""

from argparse import BooleanOptionalAction, Namespace

from scaiflow_api.cli.flows.commands import FLOW
from scaiflow_api.cli.register import Commands
from scaiflow_api.cli.target import add_straight, add_through_the_api, refuse_mixtures


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
    deploy.add_argument(
        "--dry-run", action="store_true", help="change nothing, and say what a deploy would do"
    )
    deploy.add_argument("--json", action="store_true", help="print the outcome as JSON")
    add_straight(deploy)
    add_through_the_api(
        deploy,
        does="save the flow at this ScaiFlow, if it changed, and deploy it from there",
        flow="the flow to save to (default: the one with the file's id, else your only one with its name, else a"
        " new one)",
    )
    deploy.add_argument("--message", metavar="TEXT", help="with --api: what the new version says of itself")


def _deploy(options: Namespace) -> int:
    refuse_mixtures(options, through={"message": "--message"})
    if options.api is None:
        from scaiflow_api.cli.deploy.straight import deploy_straight

        return deploy_straight(
            options.flow,
            publish_as_model=options.publish_as_model,
            group_ids=options.group_ids,
            api_key=options.api_key,
            base_url=options.base_url,
            dry_run=options.dry_run,
            as_json=options.json,
        )
    from scaiflow_api.cli.deploy.through_api import deploy_through_api

    return deploy_through_api(
        options.flow,
        publish_as_model=options.publish_as_model,
        group_ids=options.group_ids,
        url=options.api,
        token=options.token,
        flow_id=options.flow_id,
        message=options.message,
        dry_run=options.dry_run,
        as_json=options.json,
    )
