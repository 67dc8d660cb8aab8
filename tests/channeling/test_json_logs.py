"""A log line is one JSON object with the record's fields in it."""

import json
import logging
import sys

import pytest

from channeling.json_logs import JsonFormatter, ReadableFormatter


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
