"""A log line is one JSON object with the record's fields in it."""

import io
import json
import logging
import sys
import time
from collections.abc import Iterator

import pytest

from channeling.json_logs import JsonFormatter, LineHandler, ReadableFormatter, info_with_fields


def test_fields_become_keys_and_cannot_take_the_place_of_others() -> None:
    """What a record carries is found by name; a field called `level` does not forge the level."""
    record = logging.LogRecord("channeling.x", logging.INFO, __file__, 1, "settled %s", ("now",), None)
    record.fields = {"cost": 12, "user_id": "zoë\n", "level": "FORGED"}
    line = JsonFormatter().format(record)
    assert "\n" not in line
    read = json.loads(line)
    assert (read["level"], read["message"]) == ("INFO", "settled now")
    assert (read["cost"], read["user_id"]) == (12, "zoë\n")
    assert read["timestamp"].endswith("+00:00")


def test_a_line_names_the_invocation_that_wrote_it() -> None:
    """By the key that Lambda's own lines have (AWS Lambda Developer Guide, "Log and monitor Python functions")."""
    record = logging.LogRecord("channeling.x", logging.INFO, __file__, 1, "settled", (), None)
    record.fields = {"request_id": "req_1", "requestId": "FORGED"}
    read = json.loads(JsonFormatter(lambda: "8f6a").format(record))
    assert (read["requestId"], read["request_id"]) == ("8f6a", "req_1")
    assert json.loads(JsonFormatter().format(record))["requestId"] == "FORGED"


def test_an_exception_is_in_the_same_line() -> None:
    """A traceback does not spill over into lines of its own."""
    with pytest.raises(ValueError, match="broken") as caught:
        raise ValueError("broken")
    info = (caught.type, caught.value, caught.tb)
    record = logging.LogRecord("channeling", logging.ERROR, __file__, 1, "failed", (), info)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert "ValueError: broken" in json.loads(line)["exception"]
    assert sys.exc_info() == (None, None, None)


def test_at_a_terminal_fields_are_kept_as_the_same_json_line() -> None:
    """What carries nothing is text for people; what carries fields loses none of them."""
    record = logging.LogRecord("channeling.x", logging.ERROR, __file__, 1, "not %s", ("settled",), None)
    assert ReadableFormatter().format(record) == "ERROR channeling.x: not settled"
    record.fields = {"cost": 12}
    assert ReadableFormatter().format(record) == JsonFormatter().format(record)


class Heard(logging.Handler):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger of its own root, so that nothing else hears it."""
    logger = logging.Logger("channeling.x", logging.INFO)
    yield logger
    for handler in logger.handlers:
        handler.close()


@pytest.mark.parametrize("formatter", [JsonFormatter(lambda: "8f6a"), ReadableFormatter()])
def test_fields_are_written_as_a_record_of_them_would_be(
    logger: logging.Logger, formatter: JsonFormatter | ReadableFormatter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The short way and the usual one differ in what they cost alone."""
    monkeypatch.setattr(time, "time", lambda: 1_795_550_000.25)
    fields = {"cost": 12, "level": "FORGED", "counts": {"output_tokens": 3}, "surrogate": "\ud800"}
    stream = io.StringIO()
    logger.addHandler(LineHandler(stream, formatter))
    info_with_fields(logger, "settled", fields)
    logger.info("settled", extra={"fields": fields})
    short, usual = stream.getvalue().splitlines()
    assert json.loads(short) == json.loads(usual)
    assert list(json.loads(short)) == list(json.loads(usual))


def test_whoever_else_listens_hears_a_record(logger: logging.Logger) -> None:
    stream, heard = io.StringIO(), Heard()
    logger.addHandler(LineHandler(stream, JsonFormatter()))
    logger.addHandler(heard)
    info_with_fields(logger, "settled", {"cost": 12})
    assert json.loads(stream.getvalue())["cost"] == 12
    assert [(one.getMessage(), one.fields) for one in heard.records] == [("settled", {"cost": 12})]  # type: ignore[attr-defined]  # as `extra` gives it


@pytest.mark.parametrize("on_logger", [True, False])
def test_what_is_filtered_out_is_not_written(logger: logging.Logger, on_logger: bool) -> None:
    stream = io.StringIO()
    handler = LineHandler(stream, JsonFormatter())
    logger.addHandler(handler)
    filtered: logging.Filterer = logger if on_logger else handler
    filtered.addFilter(lambda record: False)
    info_with_fields(logger, "settled", {"cost": 12})
    assert stream.getvalue() == ""


def test_a_handler_further_up_hears_it(logger: logging.Logger) -> None:
    stream = io.StringIO()
    logger.parent = logging.Logger("channeling", logging.WARNING)
    logger.parent.addHandler(LineHandler(stream, JsonFormatter()))
    info_with_fields(logger, "settled", {"cost": 12})
    assert json.loads(stream.getvalue())["logger"] == "channeling.x"


def test_without_a_stream_no_request_fails(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was started with standard error closed has none."""
    monkeypatch.setattr(sys, "stderr", None)
    logger.addHandler(LineHandler(None, JsonFormatter()))  # type: ignore[arg-type]  # as `sys.stderr` then is
    info_with_fields(logger, "settled", {"cost": 12})


def test_a_stream_that_was_closed_breaks_no_request(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    logger.addHandler(LineHandler(stream, JsonFormatter()))
    stream.close()
    info_with_fields(logger, "settled", {"cost": 12})
    assert "Logging error" in capsys.readouterr().err
