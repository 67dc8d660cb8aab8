"""A process's clients of AWS: one pool of connections, one source of credentials, as the environment says.

    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN       first, as in AWS's SDKs
    AWS_CONTAINER_CREDENTIALS_…                                       else (`channeling.aws.container_credentials`)
    profiles, single sign-on, instances                               else, where botocore is installed
    AWS_CA_BUNDLE                                                     a file of certificates to trust instead

Regions and addresses: `channeling.aws.endpoints`. No proxy is taken from the environment.
"""

import os
import ssl
from collections.abc import Callable, Mapping

from channeling.aws.container_credentials import (
    ContainerCredentials,
    container_authorization,
    container_url,
)
from channeling.aws.credentials import CredentialsSource, FixedCredentials, environment_credentials
from channeling.aws.endpoints import Endpoint, Service, endpoint_of
from channeling.aws.errors import AwsConfigurationError
from channeling.aws.json_client import JsonClient
from channeling.clock import Clock
from channeling.http1.client import HttpClient

# A healthy call takes milliseconds: waiting longer than this only keeps a caller from hearing "try again".
CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 3.0
# At 5 ms a call this many connections carry 12,000 calls a second, more than a processor can sign.
MAX_CONNECTIONS = 64
# As long as a call that meets a service which does not answer: three tries, and pauses.
POOL_TIMEOUT_S = 10.0


class AwsClients:
    """Makes clients that share connections and credentials; belongs to the event loop that it is used on.

    Nothing is connected or fetched before the first call. Raises AwsConfigurationError. Give `credentials` to sign
    with others than the environment's.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        clock: Clock,
        *,
        credentials: CredentialsSource | None = None,
        max_connections: int = MAX_CONNECTIONS,
        pool_timeout_s: float = POOL_TIMEOUT_S,
        randomness: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._environ = environ
        self._clock = clock
        self._randomness = randomness
        self._credentials = credentials or credentials_of(environ, clock)
        self._transport = HttpClient(
            max_connections=max_connections,
            max_idle_connections=max_connections,
            connect_timeout_s=CONNECT_TIMEOUT_S,
            pool_timeout_s=pool_timeout_s,
            ssl_context=_ssl_context(environ),
        )

    def client(
        self,
        service: Service,
        *,
        endpoint: Endpoint | None = None,
        attempts: int = 3,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> JsonClient:
        """Return a client of a service, where the environment says it is or at `endpoint`."""
        return JsonClient(
            endpoint or endpoint_of(service, self._environ),
            self._credentials,
            self._transport,
            self._clock,
            attempts=attempts,
            read_timeout_s=read_timeout_s,
            randomness=self._randomness,
        )

    def reset(self) -> None:
        """Drop connections and credentials, as after the restore of a snapshot: the next call makes new ones."""
        self._credentials.reset()
        self._transport.drop_connections()

    async def aclose(self) -> None:
        """Close every connection; calls under way fail."""
        await self._credentials.aclose()
        await self._transport.aclose()


def credentials_of(environ: Mapping[str, str], clock: Clock) -> CredentialsSource:
    """Return where this environment's credentials come from; raise AwsConfigurationError where there are none."""
    found = environment_credentials(environ)
    if found is not None:
        return FixedCredentials(found)
    url = container_url(environ)
    if url is not None:
        transport = HttpClient(max_connections=2, connect_timeout_s=CONNECT_TIMEOUT_S)
        return ContainerCredentials(url, container_authorization(environ), transport, clock)
    try:
        import botocore.session  # only here: it costs a tenth of a second, and the functions on Lambda lack it
    except ImportError:
        raise AwsConfigurationError(
            "there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or install botocore "
            "to use a profile or an instance's role"
        ) from None
    from channeling.aws.botocore_credentials import BotocoreCredentials

    return BotocoreCredentials(botocore.session.get_session(), clock)


def _ssl_context(environ: Mapping[str, str]) -> ssl.SSLContext | None:
    bundle = environ.get("AWS_CA_BUNDLE", "").strip()
    if not bundle:
        return None
    try:
        return ssl.create_default_context(cafile=bundle)
    except OSError as error:
        raise AwsConfigurationError("AWS_CA_BUNDLE is no file of certificates") from error
