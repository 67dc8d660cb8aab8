"""The store of `channeling serve` through the lean AWS client, as on Lambda: botocore would take 20 MB of it."""

from dataclasses import dataclass

from channeling.aws.clients import READ_TIMEOUT_S, AwsClients
from channeling.aws.credentials import Credentials, CredentialsSource, FixedCredentials
from channeling.aws.endpoints import DYNAMODB, endpoint_at, region_of
from channeling.aws.errors import AwsConfigurationError
from channeling.aws.json_client import JsonClient
from channeling.clock import Clock, SystemClock
from channeling.lean_dynamodb import LeanDynamoDB
from channeling_cli.aws_clients import is_aws, user_session
from channeling_cli.embedded_dynamodb import ENVIRONMENT
from channeling_cli.failure import CommandFailed, ExitCode

STORE_VARIABLE = "AWS_ENDPOINT_URL_DYNAMODB"
# A store on this machine may let one call through at a time: the last of many waits for all of them.
_LOCAL_READ_TIMEOUT_S = 30.0
_POOL_TIMEOUT_S = 60.0
# Making a table is no matter of milliseconds.
_TABLES_READ_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class LeanStore:
    """An open door, for one event loop; `tables_client` is for making the tables."""

    dynamodb: LeanDynamoDB
    tables_client: JsonClient
    aws: AwsClients

    async def aclose(self) -> None:
        """Close the connections."""
        await self.aws.aclose()


def open_lean_store(endpoint_url: str) -> LeanStore:
    """Return the door to the DynamoDB at an endpoint; raise CommandFailed.

    Credentials and region are as `dynamodb_client` has them: the user's for AWS's own endpoints, else stand-ins.
    """
    clock = SystemClock()
    credentials: CredentialsSource
    if is_aws(endpoint_url):
        credentials, region = _of_the_user(clock)
        read_timeout_s = READ_TIMEOUT_S
    else:
        stand_ins = Credentials(ENVIRONMENT["AWS_ACCESS_KEY_ID"], ENVIRONMENT["AWS_SECRET_ACCESS_KEY"])
        credentials, region = FixedCredentials(stand_ins), ENVIRONMENT["AWS_DEFAULT_REGION"]
        read_timeout_s = _LOCAL_READ_TIMEOUT_S
    try:
        endpoint = endpoint_at(
            DYNAMODB, endpoint_url, region_of({"AWS_REGION": region}), named=STORE_VARIABLE
        )
    except AwsConfigurationError as error:
        raise CommandFailed(str(error), exit_code=ExitCode.REFUSED) from error
    aws = AwsClients({}, clock, credentials=credentials, pool_timeout_s=_POOL_TIMEOUT_S)
    client = aws.client(DYNAMODB, endpoint=endpoint, read_timeout_s=read_timeout_s)
    tables_client = aws.client(
        DYNAMODB, endpoint=endpoint, read_timeout_s=max(read_timeout_s, _TABLES_READ_TIMEOUT_S)
    )
    return LeanStore(LeanDynamoDB(client), tables_client, aws)


def _of_the_user(clock: Clock) -> tuple[CredentialsSource, str]:
    from channeling.aws.botocore_credentials import BotocoreCredentials

    session, region = user_session()
    if not region:
        raise CommandFailed(
            "no AWS region is set",
            next_step="set AWS_DEFAULT_REGION to the region that the tables are in",
        )
    return BotocoreCredentials(session, clock), region
