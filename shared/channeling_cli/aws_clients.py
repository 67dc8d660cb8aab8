"""botocore clients for the command line: of a user's AWS account, or of a store on this machine."""

from typing import Any
from urllib.parse import urlsplit

from channeling.aws.errors import AwsError, AwsRefused, CredentialsUnavailable
from channeling_cli.embedded_dynamodb import local_client
from channeling_cli.failure import CommandFailed, ExitCode


def dynamodb_client(endpoint_url: str) -> Any:
    """Return a client of the DynamoDB at an endpoint.

    AWS's own endpoints get the user's AWS configuration. Any other, such as DynamoDB Local, gets one fixed region
    and stand-in credentials: it keeps a separate database per access key and region, and every terminal is to see
    the same one.
    """
    return (
        aws_client("dynamodb", endpoint_url=endpoint_url)
        if is_aws(endpoint_url)
        else local_client(endpoint_url)
    )


def is_aws(endpoint_url: str) -> bool:
    """Return whether an endpoint is AWS's own."""
    host = urlsplit(endpoint_url).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))


def aws_client(
    service: str, *, region: str | None = None, profile: str | None = None, endpoint_url: str | None = None
) -> Any:
    """Return a client that uses the user's AWS configuration; raise CommandFailed when that does not do."""
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    try:
        session = botocore.session.Session(profile=profile)
        client = session.create_client(
            service,
            region_name=region,
            endpoint_url=endpoint_url,
            config=Config(connect_timeout=5, read_timeout=15, max_pool_connections=64),
        )
    except (BotoCoreError, ValueError) as error:
        raise _configuration_failure(error) from error
    return client


def user_session() -> tuple[Any, str]:
    """Return a botocore session with the user's AWS configuration, and its region or ""; raise CommandFailed."""
    import botocore.session
    from botocore.exceptions import BotoCoreError

    try:
        session = botocore.session.Session()
        return session, session.get_config_variable("region") or ""
    except (BotoCoreError, ValueError) as error:
        raise _configuration_failure(error) from error


def _configuration_failure(error: Exception) -> CommandFailed:
    from botocore.exceptions import NoRegionError, ProfileNotFound

    if isinstance(error, ProfileNotFound):
        return CommandFailed(str(error), next_step="aws configure list-profiles shows the profiles there are")
    if isinstance(error, NoRegionError):
        return CommandFailed(
            "no AWS region is set", next_step="add --region REGION, the region that the stack is in"
        )
    return CommandFailed(f"the AWS configuration cannot be used: {error}")


def aws_failure(error: Exception, what: str) -> CommandFailed:
    """Return what an exception of botocore or of the lean AWS client means to somebody at a terminal."""
    if isinstance(error, AwsError):
        if isinstance(error, CredentialsUnavailable):
            return _no_credentials(error, what)
        if isinstance(error, AwsRefused):
            return _refused(error.code, error.message, what)
        return _unanswered(error, what)
    from botocore.exceptions import ClientError, CredentialRetrievalError, NoCredentialsError, SSOError

    if isinstance(error, NoCredentialsError | CredentialRetrievalError | SSOError):
        return _no_credentials(error, what)
    if isinstance(error, ClientError):
        refusal = error.response.get("Error", {})
        return _refused(str(refusal.get("Code", "")), str(refusal.get("Message", "")), what)
    return _unanswered(error, what)


def _no_credentials(error: Exception, what: str) -> CommandFailed:
    return CommandFailed(
        f"{what}: no AWS credentials can be used ({error})",
        next_step="sign in (aws sso login, or aws configure) or name a profile: --profile NAME",
        exit_code=ExitCode.UNREACHABLE,
    )


def _refused(code: str, text: str, what: str) -> CommandFailed:
    expired = "Expired" in code or code in ("UnrecognizedClientException", "InvalidClientTokenId")
    return CommandFailed(
        f"{what}: AWS refused it: {code}: {text}",
        next_step="sign in again: the AWS credentials are no longer valid" if expired else "",
        exit_code=ExitCode.UNREACHABLE,
    )


def _unanswered(error: Exception, what: str) -> CommandFailed:
    return CommandFailed(
        f"{what}: {error}", next_step="check the network, and --region", exit_code=ExitCode.UNREACHABLE
    )
