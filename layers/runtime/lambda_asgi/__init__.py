"""An ASGI server for AWS Lambda: it streams the answer of any ASGI app through the Lambda Runtime API.

What an app may import of it: `on_snapshot` and `on_restore` (SnapStart), and the context variables `request_id` and
`trace_id` of the invocation that it answers.

payload.py             event → HTTP request, payload formats 1.0 and 2.0, over event_fields.py (pure)
scope.py               HTTP request → ASGI scope and body (pure)
invocation_context.py  what Lambda says of an invocation beside its event
conversation.py        the app's `receive` and `send` for one invocation
response_head.py       status and headers, checked, in each front's form (pure)
streamed_response.py   an answer on its way: one chunked POST, written as the app produces it
buffered_response.py   an answer that is sent when it is whole
runtime_api.py         the Lambda Runtime API, over http1.py
lifespan.py            ASGI startup and shutdown, once per execution environment
snapshot.py            SnapStart's hooks
invocation.py          one invocation from event to acknowledged answer, with its deadline guard
runtime.py             one execution environment: initialise, restore, serve invocations, end
settings.py            what environment variables say
log.py                 log lines in Lambda's formats
"""

from lambda_asgi.invocation_context import request_id, trace_id
from lambda_asgi.snapshot import on_restore, on_snapshot

__all__ = ["on_restore", "on_snapshot", "request_id", "trace_id"]
