"""What a call of an AWS service can end in, other than its answer."""

from collections.abc import Mapping
from typing import Any


class AwsError(Exception):
    """A call of an AWS service has not succeeded; the message holds no secret."""


class AwsRefused(AwsError):
    """The service answered with an error: its code (without namespace), its HTTP status and the answer's members.

    `asked_pause_ms` and `date` are the answer's headers x-amz-retry-after and date, as they came.
    """

    def __init__(
        self,
        code: str,
        status: int,
        message: str,
        members: Mapping[str, Any],
        *,
        asked_pause_ms: str | None = None,
        date: str | None = None,
    ) -> None:
        super().__init__(f"{code} ({status}): {message}" if message else f"{code} ({status})")
        self.code = code
        self.status = status
        self.message = message
        self.members = members
        self.asked_pause_ms = asked_pause_ms
        self.date = date


class AwsUnanswered(AwsError):
    """No answer that can be read came, after all tries; what was asked may have been done."""


class CredentialsUnavailable(AwsError):
    """There are no credentials to sign with, or those there were have expired and no new ones can be had."""


class AwsConfigurationError(AwsError, ValueError):
    """A variable that the AWS client is configured with is missing or malformed; the message names it."""
