"""The reconciler as a scheduled Lambda function."""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from channeling.alert_door import event_bus_alerts
from channeling.aws.clients import AwsClients
from channeling.aws.endpoints import DYNAMODB, endpoint_of
from channeling.clock import SystemClock
from channeling.lean_dynamodb import LeanDynamoDB
from channeling.metrics import metrics_of
from channeling.reconcile.period_totals import period_totals
from channeling.reconcile.projects import tend_projects
from channeling.reconcile.run import Report, reconcile
from channeling.settings import Settings

# Longer than one budget with every slot held and a page of the scan take together.
STOP_BEFORE_DEADLINE_MS = 30_000
_MAX_CONNECTIONS = 8
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

    An event {"only": "projects"} asks for what is quick and due each minute alone. Raises SettingsError
    or AwsConfigurationError.
    """
    settings = Settings.from_environ(environ)
    endpoint_of(DYNAMODB, environ)  # what is wrong with it is to be known before the first run
    clock = SystemClock()
    metrics = metrics_of(settings.metrics_deployment, clock)

    async def run(only_projects: bool, deadline_ms: int) -> Report:
        report: Report = {}
        # Opened for each run: between two of them Lambda freezes the process, and connections with it.
        aws = AwsClients(
            environ, clock, max_connections=_MAX_CONNECTIONS, pool_timeout_s=STOP_BEFORE_DEADLINE_MS / 1000
        )
        try:
            dynamodb = LeanDynamoDB(aws.client(DYNAMODB, attempts=5, read_timeout_s=10.0))
            if not only_projects:
                report |= await reconcile(dynamodb, settings, clock, deadline_ms)
                totals = period_totals(dynamodb, settings.tables, clock)
                report["hours_totalled"] = await totals.run(deadline_ms)
            alerts = event_bus_alerts(aws, settings.alert_event_bus)
            report |= await tend_projects(dynamodb, settings.tables, clock, os.urandom, deadline_ms, alerts)
        finally:
            await aws.aclose()
        return report

    def handler(event: Any, context: LambdaContext) -> Report:
        deadline_ms = clock.now_ms() + context.get_remaining_time_in_millis() - STOP_BEFORE_DEADLINE_MS
        only_projects = isinstance(event, Mapping) and event.get("only") == ONLY_PROJECTS
        report = asyncio.run(run(only_projects, deadline_ms))
        _log.info("reconciled", extra={"fields": report})
        metrics.reconciled(report)
        return report

    return handler
