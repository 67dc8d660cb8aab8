"""botocore clients for the command line: of a user's AWS account, or of a store on this machine."""

from typing import Any
from urllib.parse import urlsplit

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
    from botocore.exceptions import BotoCoreError, NoRegionError, ProfileNotFound

    try:
        session = botocore.session.Session(profile=profile)
        client = session.create_client(
            service,
            region_name=region,
            endpoint_url=endpoint_url,
            config=Config(connect_timeout=5, read_timeout=15, max_pool_connections=64),
        )
    except ProfileNotFound as error:
        raise CommandFailed(
            str(error), next_step="aws configure list-profiles shows the profiles there are"
        ) from error
    except NoRegionError as error:
        raise CommandFailed(
            "no AWS region is set", next_step="add --region REGION, the region that the stack is in"
        ) from error
    except (BotoCoreError, ValueError) as error:
        raise CommandFailed(f"the AWS configuration cannot be used: {error}") from error
    return client


def aws_failure(error: Exception, what: str) -> CommandFailed:
    """Return what an exception of botocore means to somebody at a terminal."""
    from botocore.exceptions import ClientError, CredentialRetrievalError, NoCredentialsError, SSOError

    if isinstance(error, NoCredentialsError | CredentialRetrievalError | SSOError):
        return CommandFailed(
            f"{what}: no AWS credentials can be used ({error})",
            next_step="sign in (aws sso login, or aws configure) or name a profile: --profile NAME",
            exit_code=ExitCode.UNREACHABLE,
        )
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        text = str(error.response.get("Error", {}).get("Message", ""))
        expired = "Expired" in code or code in ("UnrecognizedClientException", "InvalidClientTokenId")
        return CommandFailed(
            f"{what}: AWS refused it: {code}: {text}",
            next_step="sign in again: the AWS credentials are no longer valid" if expired else "",
            exit_code=ExitCode.UNREACHABLE,
        )
    return CommandFailed(
        f"{what}: {error}", next_step="check the network, and --region", exit_code=ExitCode.UNREACHABLE
    )
