"""A call of AWS is signed, tried again where that helps and only then, and ends in an answer or a typed failure."""

import zlib
from collections.abc import Sequence
from typing import Any

import pytest

from channeling.aws.credentials import Credentials, FixedCredentials
from channeling.aws.endpoints import DYNAMODB, KMS, Service, endpoint_at
from channeling.aws.errors import AwsRefused, AwsUnanswered
from channeling.aws.json_client import JsonClient
from channeling.aws.sigv4 import Signer, request_shape
from tests.stand_ins.aws_transport import Answer, Broken, ScriptedTransport, Sent, answer, error
from tests.stand_ins.clock import SetClock

NOW_S = 1_795_521_036
DATE = "20261124T115036Z"
KEYS = Credentials("AKEY", "secret", "token")


class Rig:
    """A client over answers that are set, with the pauses it would make."""

    def __init__(
        self,
        script: Any,
        *,
        service: Service = DYNAMODB,
        credentials: Any = None,
        attempts: int = 3,
        chance: int = 0xC0,
    ) -> None:
        self.transport = ScriptedTransport(script)
        self.pauses: list[float] = []
        self.clock = SetClock(NOW_S)
        self.client = JsonClient(
            endpoint_at(service, "http://127.0.0.1:8000", "eu-west-1"),
            credentials or FixedCredentials(KEYS),
            self.transport,
            self.clock,
            attempts=attempts,
            randomness=lambda count: bytes([chance]) * count,
            sleep=self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


async def test_a_call_is_signed_and_its_answer_read() -> None:
    rig = Rig([answer({"Item": {}})])
    assert await rig.client.call("GetItem", b'{"TableName":"t"}') == {"Item": {}}
    [sent] = rig.transport.sent
    signed = [
        ("content-type", "application/x-amz-json-1.0"),
        ("host", "127.0.0.1:8000"),
        ("x-amz-security-token", "token"),
        ("x-amz-target", "DynamoDB_20120810.GetItem"),
    ]
    signature = Signer("eu-west-1", "dynamodb").authorization(KEYS, DATE, request_shape(signed), sent.body)
    expected = dict(signed) | {
        "x-amz-date": DATE,
        "authorization": signature,
        "accept-encoding": "identity",
        "user-agent": "channeling",
    }
    del expected["host"]
    assert sent == Sent("POST", "http://127.0.0.1:8000/", expected, b'{"TableName":"t"}')
    assert rig.pauses == []


async def test_each_service_has_its_own_target_and_version_and_no_token_is_sent_where_there_is_none() -> None:
    rig = Rig([answer({})], service=KMS, credentials=FixedCredentials(Credentials("AKEY", "secret")))
    await rig.client.call("Decrypt", b"{}")
    headers = rig.transport.sent[0].headers
    assert headers["x-amz-target"] == "TrentService.Decrypt"
    assert headers["content-type"] == "application/x-amz-json-1.1"
    assert "x-amz-security-token" not in headers
    assert "/eu-west-1/kms/aws4_request" in headers["authorization"]


async def test_the_date_follows_the_clock() -> None:
    rig = Rig([answer({})] * 3)
    for later_s in (0, 1, 86_400):
        rig.clock.now_s = NOW_S + later_s
        await rig.client.call("GetItem", b"{}")
    assert [sent.headers["x-amz-date"] for sent in rig.transport.sent] == [
        DATE,
        "20261124T115037Z",
        "20261125T115036Z",
    ]
    assert "/20261125/" in rig.transport.sent[2].headers["authorization"]


TRANSIENT = [
    Broken(),
    error("InternalServerError", 500),
    Answer(503, b"<html>"),
    Answer(502, b""),
    Answer(200, b"{}", {"x-amz-crc32": "1"}),
    Answer(200, b"<html>"),
    Answer(200, b"{}", breaks=True),
    error("ProvisionedThroughputExceededException"),
    error("ThrottlingException"),
    error("TooMuch", 429),
    error("RequestTimeout"),
]


@pytest.mark.parametrize("failure", TRANSIENT, ids=str)
async def test_what_passes_is_tried_again(failure: Answer | Exception) -> None:
    rig = Rig([failure, failure, answer({"done": 1})])
    assert await rig.client.call("UpdateItem", b"{}") == {"done": 1}
    assert len(rig.transport.sent) == 3
    assert 0 < rig.pauses[0] < rig.pauses[1] < 2
    assert all(given.is_over for given in rig.transport.answers), "a connection was left open"


@pytest.mark.parametrize("failure", TRANSIENT, ids=str)
async def test_what_does_not_pass_is_told_after_three_tries(failure: Answer | Exception) -> None:
    rig = Rig([failure] * 4)
    with pytest.raises((AwsRefused, AwsUnanswered)):
        await rig.client.call("UpdateItem", b"{}")
    assert len(rig.transport.sent) == 3


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (error("ConditionalCheckFailedException"), "ConditionalCheckFailedException"),
        (error("AccessDeniedException"), "AccessDeniedException"),
        (answer({"__type": "ValidationException:http://x#y"}, 400), "ValidationException"),
        (Answer(400, b"{}", {"x-amzn-errortype": "NotFoundException:"}), "NotFoundException"),
        (Answer(404, b"<html>"), "HTTP 404"),
        (Answer(403, b"[]"), "HTTP 403"),
        (Answer(413, b""), "HTTP 413"),
        (Answer(301, b""), "HTTP 301"),
        (error("UnrecognizedClientException"), "UnrecognizedClientException"),
        (error("InvalidSignatureException"), "InvalidSignatureException"),
    ],
    ids=str,
)
async def test_other_refusals_are_not_tried_again(refusal: Answer, code: str) -> None:
    rig = Rig([refusal])
    with pytest.raises(AwsRefused) as refused:
        await rig.client.call("UpdateItem", b"{}")
    assert (refused.value.code, refused.value.status) == (code, refusal.status)
    assert rig.pauses == []


async def test_a_refusal_keeps_what_the_service_said() -> None:
    members = {
        "__type": "x#ConditionalCheckFailedException",
        "Item": {"pk": {"S": "a"}},
        "Message": "m" * 9_000,
    }
    rig = Rig([answer(members, 400)])
    with pytest.raises(AwsRefused) as refused:
        await rig.client.call("UpdateItem", b"{}")
    assert refused.value.members["Item"] == {"pk": {"S": "a"}}
    assert len(str(refused.value)) < 600


async def test_a_checksum_that_fits_is_no_hindrance() -> None:
    rig = Rig([Answer(200, b"{}", {"x-amz-crc32": str(zlib.crc32(b"{}"))})])
    assert await rig.client.call("GetItem", b"{}") == {}
    assert len(rig.transport.sent) == 1


async def test_a_client_that_meets_failures_alone_ends_up_trying_once() -> None:
    """The quota of retries: an outage is not made worse by three times as many requests."""
    rig = Rig(lambda _: Answer(500, b""))
    for _ in range(40):
        with pytest.raises(AwsRefused):
            await rig.client.call("UpdateItem", b"{}")
    before = len(rig.transport.sent)
    with pytest.raises(AwsRefused):
        await rig.client.call("UpdateItem", b"{}")
    assert len(rig.transport.sent) == before + 1


async def test_tries_that_led_to_an_answer_are_not_held_against_later_calls() -> None:
    """A service that fails every second request is asked again each time, for as long as it likes."""
    rig = Rig([Answer(500, b""), answer({})] * 200)
    for _ in range(200):
        assert await rig.client.call("UpdateItem", b"{}") == {}


@pytest.mark.parametrize(
    "code", ["InvalidSignatureException", "RequestTimeTooSkewed", "RequestExpired", "SignatureDoesNotMatch"]
)
async def test_a_clock_that_is_wrong_is_set_by_the_service_s(code: str) -> None:
    """Once: the next call is signed right at its first try. It costs no pause and none of the three tries."""
    rig = Rig([error(code, date="Tue, 24 Nov 2026 12:20:36 GMT"), *[Broken()] * 2, answer({}), answer({})])
    await rig.client.call("GetItem", b"{}")
    await rig.client.call("GetItem", b"{}")
    dates = [sent.headers["x-amz-date"] for sent in rig.transport.sent]
    assert dates == [DATE, *["20261124T122036Z"] * 4]
    assert len(rig.pauses) == 2


@pytest.mark.parametrize(
    "date", [None, "Tue, 24 Nov 2026 11:51:36 GMT", "yesterday", "", "Tue, 99 Nov 2026 11:51:36 GMT"]
)
async def test_a_signature_that_is_wrong_is_not_sent_again(date: str | None) -> None:
    """The clocks agree within minutes, or the service tells no time: then the key is wrong."""
    headers = {} if date is None else {"date": date}
    rig = Rig([error("InvalidSignatureException", **headers)])
    with pytest.raises(AwsRefused):
        await rig.client.call("GetItem", b"{}")
    assert len(rig.transport.sent) == 1


async def test_a_service_whose_clock_jumps_about_is_followed_once_a_call() -> None:
    skewed = [
        error("RequestExpired", date="Tue, 24 Nov 2026 12:20:36 GMT"),
        error("RequestExpired", date="Tue, 24 Nov 2026 13:20:36 GMT"),
    ]
    rig = Rig(skewed)
    with pytest.raises(AwsRefused):
        await rig.client.call("GetItem", b"{}")
    assert len(rig.transport.sent) == 2


class TwoCredentials:
    """A source that has others once the first are refused."""

    def __init__(self, given: Sequence[Credentials]) -> None:
        self.given = list(given)

    async def current(self) -> Credentials:
        return self.given[0]

    def refused(self, credentials: Credentials) -> None:
        if credentials is self.given[0] and len(self.given) > 1:
            self.given.pop(0)

    def reset(self) -> None: ...

    async def aclose(self) -> None: ...


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException"])
async def test_credentials_that_a_service_no_longer_takes_are_replaced(code: str) -> None:
    rig = Rig([error(code), answer({})], credentials=TwoCredentials([KEYS, Credentials("NEW", "secret")]))
    await rig.client.call("GetItem", b"{}")
    assert "Credential=NEW/" in rig.transport.sent[1].headers["authorization"]
    assert rig.pauses == []


async def test_credentials_that_are_refused_one_after_another_are_not_tried_for_ever() -> None:
    many = [Credentials(f"KEY{number}", "secret") for number in range(9)]
    rig = Rig(lambda _: error("ExpiredTokenException"), credentials=TwoCredentials(many))
    with pytest.raises(AwsRefused):
        await rig.client.call("GetItem", b"{}")
    assert len(rig.transport.sent) == 2


async def test_a_connection_is_opened_ahead() -> None:
    rig = Rig([])
    await rig.client.connect()
    assert rig.transport.connected == ["http://127.0.0.1:8000/"]
