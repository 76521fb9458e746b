"""`scaiflow test FLOW`: straight at ScaiGrid, with a key; needs no ScaiFlow and no database."""

import asyncio
import signal
from argparse import Namespace
from typing import Any

from scaiflow_api.cli.failure import Unusable
from scaiflow_api.cli.straight import Straight
from scaiflow_api.cli.testruns.progress import Progress
from scaiflow_api.domains.testruns.runner import FixtureRunner, TestLimits
from scaiflow_api.domains.testruns.schemas import TestReport
from scaiflow_api.domains.testruns.selection import Selection
from scaiflow_api.flowgraph import DEFAULT_LIMITS
from scaiflow_api.upstreams.errors import ScaiGridNotConfigured, as_app_error
from scaiflow_api.upstreams.failures import UpstreamError


def run_straight(document: dict[str, Any], options: Namespace) -> TestReport:
    """Run the fixtures of a document. Raises Unusable for what keeps all of them from being run."""
    selection = Selection.of(document, options.filter)
    if selection.why_none is not None:
        return TestReport(results=[], passed=0, failed=0, message=selection.why_none)
    try:
        return asyncio.run(_run(document, selection, options))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _run(document: dict[str, Any], selection: Selection, options: Namespace) -> TestReport:
    running = asyncio.current_task()
    assert running is not None
    # Ctrl-C is seen to by asyncio; CI systems send this. Either way what was begun is cancelled first.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    straight = Straight.of(options.api_key, options.base_url)
    settings = straight.settings
    limits = TestLimits(
        graph=DEFAULT_LIMITS,
        concurrency=options.concurrency or settings.test_concurrency,
        timeout_s=options.timeout or settings.test_timeout_s,
        events_wait_s=settings.test_events_wait_s,
        clean_up_s=settings.timeout_s,
        busy_wait_s=settings.busy_wait_s,
    )
    async with straight.open() as access:
        with Progress(len(selection.fixtures)) as progress:
            try:
                runner = FixtureRunner(access, options.core, limits)
                return await runner.run(document, selection.fixtures, progress.done)
            except (UpstreamError, ScaiGridNotConfigured) as failure:
                told = as_app_error(failure) if isinstance(failure, UpstreamError) else failure
                fix = told.detail().get("fix")
                raise Unusable(f"{told.error}: {told}{f' {fix}' if fix else ''}") from None
