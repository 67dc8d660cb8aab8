"""AWS's Signature Version 4 for requests whose whole body is signed.

Source: AWS General Reference, "Signing AWS API requests" (create a canonical request, a string to sign, the
signature; add it to the request).
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from channeling.aws.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"


class Signer:
    """Signs the requests of one service in one region; the key of a day is derived once."""

    def __init__(self, region: str, service: str) -> None:
        self._region = region
        self._service = service
        self._key: tuple[Credentials, str, bytes, str] | None = None

    def authorization(
        self,
        credentials: Credentials,
        amz_date: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        *,
        method: str = "POST",
        path: str = "/",
        query: str = "",
    ) -> str:
        """Return the value of the Authorization header.

        `headers` are those to sign, by lower-case name in the names' order, no white space to be trimmed; with them
        are host, x-amz-date and, where there is a session token, x-amz-security-token. `path` and `query` are in
        their canonical form. `amz_date` is UTC, as 20150830T123600Z.
        """
        signed = ";".join([name for name, _ in headers])
        lines = "".join([f"{name}:{value}\n" for name, value in headers])
        canonical = f"{method}\n{path}\n{query}\n{lines}\n{signed}\n{sha256(body).hexdigest()}"
        key, scope = self._signing_key(credentials, amz_date[:8])
        digest = sha256(canonical.encode()).hexdigest()
        to_sign = f"{ALGORITHM}\n{amz_date}\n{scope}\n{digest}"
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        return (
            f"{ALGORITHM} Credential={credentials.access_key_id}/{scope}, "
            f"SignedHeaders={signed}, Signature={signature}"
        )

    def _signing_key(self, credentials: Credentials, day: str) -> tuple[bytes, str]:
        kept = self._key
        if kept is not None and kept[0] is credentials and kept[1] == day:
            return kept[2], kept[3]
        key = f"AWS4{credentials.secret_access_key}".encode()
        for part in (day, self._region, self._service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        self._key = (credentials, day, key, scope)
        return key, scope
