"""Each asynchronous test of the HTTP client runs on asyncio's own loop and on uvloop, which `serve` uses."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    # Those of dialling put their own functions in the loop's place, which uvloop's does not allow.
    if item.path.name == "test_dial.py":
        return {"asyncio": asyncio.new_event_loop}
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
