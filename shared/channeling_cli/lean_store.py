"""The store of `channeling serve` as its requests reach it: through the lean AWS client, as on Lambda."""

from dataclasses import dataclass

from channeling.aws.botocore_credentials import BotocoreCredentials
from channeling.aws.clients import READ_TIMEOUT_S, AwsClients
from channeling.aws.credentials import Credentials, CredentialsSource, FixedCredentials
from channeling.aws.endpoints import DYNAMODB, endpoint_at, region_of
from channeling.clock import SystemClock
from channeling.lean_dynamodb import LeanDynamoDB
from channeling_cli.aws_clients import is_aws
from channeling_cli.embedded_dynamodb import ENVIRONMENT

# A store on this machine may let one call through at a time: the last of many waits for all of them.
_LOCAL_READ_TIMEOUT_S = 30.0
_POOL_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class LeanStore:
    """An open door, for one event loop."""

    dynamodb: LeanDynamoDB
    aws: AwsClients

    async def aclose(self) -> None:
        """Close the connections."""
        await self.aws.aclose()


def open_lean_store(endpoint_url: str) -> LeanStore:
    """Return the door to the DynamoDB at an endpoint; raise AwsConfigurationError.

    Credentials and region are as `dynamodb_client` has them: the user's for AWS's own endpoints, else stand-ins.
    """
    clock = SystemClock()
    credentials: CredentialsSource
    if is_aws(endpoint_url):
        import botocore.session

        session = botocore.session.Session()
        credentials, read_timeout_s = BotocoreCredentials(session, clock), READ_TIMEOUT_S
        region = session.get_config_variable("region") or ""
    else:
        stand_ins = Credentials(ENVIRONMENT["AWS_ACCESS_KEY_ID"], ENVIRONMENT["AWS_SECRET_ACCESS_KEY"])
        credentials, read_timeout_s = FixedCredentials(stand_ins), _LOCAL_READ_TIMEOUT_S
        region = ENVIRONMENT["AWS_DEFAULT_REGION"]
    aws = AwsClients({}, clock, credentials=credentials, pool_timeout_s=_POOL_TIMEOUT_S)
    endpoint = endpoint_at(DYNAMODB, endpoint_url, region_of({"AWS_REGION": region}))
    client = aws.client(DYNAMODB, endpoint=endpoint, read_timeout_s=read_timeout_s)
    return LeanStore(LeanDynamoDB(client), aws)
