"""The reconciler as a scheduled Lambda function."""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.clock import SystemClock
from channeling.metrics import metrics_of
from channeling.reconcile.period_totals import period_totals
from channeling.reconcile.projects import tend_projects
from channeling.reconcile.run import Report, reconcile
from channeling.settings import Settings

# Longer than one budget with every slot held and a page of the scan take together.
STOP_BEFORE_DEADLINE_MS = 30_000
_THREADS = 8
ONLY_PROJECTS = "projects"

_log = logging.getLogger(__name__)


class LambdaContext(Protocol):
    """What is used of the context that Lambda hands to a Python function.

    Source: AWS Lambda Developer Guide, "Using the Lambda context object to retrieve Python function information".
    """

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the invocation."""


def scheduled_handler(environ: Mapping[str, str]) -> Callable[[Any, LambdaContext], Report]:
    """Return the handler of a deployment; whatever event comes, it is one run.

    An event {"only": "projects"} asks for what is quick and due each minute alone. Raises SettingsError.
    """
    import botocore.session
    from botocore.config import Config

    settings = Settings.from_environ(environ)
    config = Config(
        connect_timeout=2,
        read_timeout=10,
        retries={"mode": "standard", "total_max_attempts": 5},
        max_pool_connections=_THREADS,
    )
    client = botocore.session.get_session().create_client("dynamodb", config=config)
    dynamodb = BotocoreDynamoDB(client, threads=_THREADS)
    clock = SystemClock()
    metrics = metrics_of(settings.metrics_deployment, clock)

    def handler(event: Any, context: LambdaContext) -> Report:
        deadline_ms = clock.now_ms() + context.get_remaining_time_in_millis() - STOP_BEFORE_DEADLINE_MS
        report: Report = {}
        if not (isinstance(event, Mapping) and event.get("only") == ONLY_PROJECTS):
            report |= asyncio.run(reconcile(dynamodb, settings, clock, deadline_ms))
            totals = period_totals(dynamodb, settings.tables, clock)
            report["hours_totalled"] = asyncio.run(totals.run(deadline_ms))
        report |= asyncio.run(tend_projects(dynamodb, settings.tables, clock, os.urandom, deadline_ms))
        _log.info("reconciled", extra={"fields": report})
        metrics.reconciled(report)
        return report

    return handler
