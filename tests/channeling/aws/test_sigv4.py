"""Signatures are those of AWS's published examples, and byte for byte those that botocore makes."""

import random
import string

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from channeling.aws.credentials import Credentials
from channeling.aws.sigv4 import Signer, request_shape

# The keys of AWS's own examples.
EXAMPLE = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
DATE = "20150830T123600Z"


@pytest.mark.parametrize(
    ("method", "service", "host", "query", "content_type", "signature"),
    [
        # AWS Signature Version 4 test suite, get-vanilla and post-vanilla.
        (
            "GET",
            "service",
            "example.amazonaws.com",
            "",
            None,
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "POST",
            "service",
            "example.amazonaws.com",
            "",
            None,
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        # AWS General Reference, the signing steps of IAM's ListUsers.
        (
            "GET",
            "iam",
            "iam.amazonaws.com",
            "Action=ListUsers&Version=2010-05-08",
            "application/x-www-form-urlencoded; charset=utf-8",
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        ),
    ],
)
def test_published_examples(
    method: str, service: str, host: str, query: str, content_type: str | None, signature: str
) -> None:
    headers = [("host", host)]
    names = "host;x-amz-date"
    if content_type is not None:
        headers.append(("content-type", content_type))
        names = f"content-type;{names}"
    shape = request_shape(headers, method=method, query=query)
    assert Signer("us-east-1", service).authorization(EXAMPLE, DATE, shape, b"") == (
        f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    )


def test_random_requests_are_signed_as_botocore_signs_them() -> None:
    """Keys, tokens, days, regions and bodies change; one signer serves them all in turn, its kept key with it.

    What a shape remembers of its last request serves the next of that second, and no other.
    """
    chance = random.Random(4)
    signers = {(r, s): Signer(r, s) for r in ("eu-west-1", "us-gov-east-1") for s in ("dynamodb", "kms")}
    keys = [_credentials(chance) for _ in range(4)]
    for _ in range(200):
        region, service = chance.choice(list(signers))
        credentials = chance.choice(keys)
        day = f"2026{chance.randint(1, 12):02}{chance.randint(1, 28):02}"
        date = f"{day}T{chance.randint(0, 23):02}{chance.randint(0, 59):02}{chance.randint(0, 59):02}Z"
        body = chance.randbytes(chance.choice([0, 1, 300]))
        headers = [("content-type", "application/x-amz-json-1.0"), ("host", "localhost:8000")]
        if credentials.session_token is not None:
            headers.append(("x-amz-security-token", credentials.session_token))
        headers.append(
            ("x-amz-target", "DynamoDB_20120810." + "".join(chance.choices(string.ascii_letters, k=8)))
        )
        chance.shuffle(headers)
        shape, second_later = request_shape(headers), f"{date[:13]}{(int(date[13:15]) + 1) % 60:02}Z"
        for at, sent in ((date, body), (date, b"other"), (second_later, body)):
            ours = signers[region, service].authorization(credentials, at, shape, sent)
            assert ours == _by_botocore(credentials, at, headers, sent, region, service)


def _by_botocore(
    credentials: Credentials,
    date: str,
    headers: list[tuple[str, str]],
    body: bytes,
    region: str,
    service: str,
) -> str:
    request = AWSRequest("POST", "http://localhost:8000/", data=body)
    for name, value in headers:
        if name not in ("host", "x-amz-security-token"):
            request.headers[name] = value
    request.headers["X-Amz-Date"] = date
    if credentials.session_token is not None:
        request.headers["X-Amz-Security-Token"] = credentials.session_token
    request.context["timestamp"] = date
    auth = SigV4Auth(
        BotocoreCredentials(
            credentials.access_key_id, credentials.secret_access_key, credentials.session_token
        ),
        service,
        region,
    )
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    signed = auth.signed_headers(auth.headers_to_sign(request))
    return f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, SignedHeaders={signed}, Signature={signature}"


def _credentials(chance: random.Random) -> Credentials:
    token = "".join(chance.choices(string.ascii_letters + "/+=", k=200))
    return Credentials(
        "".join(chance.choices(string.ascii_uppercase, k=20)),
        "".join(chance.choices(string.ascii_letters + "/+", k=40)),
        chance.choice([None, token]),
    )


def test_secrets_are_not_shown() -> None:
    """As in a traceback or a log line."""
    credentials = Credentials("AK", "secret", "secret token")
    shape = request_shape([("host", "localhost"), ("x-amz-security-token", "secret token")])
    signer = Signer("eu-west-1", "dynamodb")
    signer.authorization(credentials, DATE, shape, b"")
    for shown in (credentials, shape, signer.__dict__):
        assert "secret" not in repr(shown)
