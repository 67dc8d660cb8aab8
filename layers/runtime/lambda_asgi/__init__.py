"""An ASGI server for AWS Lambda: it streams the answer of any ASGI app through the Lambda Runtime API.

scope.py            function-URL event → ASGI scope and body (pure)
conversation.py     the app's `receive` and `send` for one invocation
response_upload.py  the answer on its way: one chunked POST, written as the app produces it
runtime_api.py      the Lambda Runtime API, over http1.py
lifespan.py         ASGI startup and shutdown, once per execution environment
invocation.py       one invocation from event to acknowledged answer, with its deadline guard
runtime.py          one execution environment: initialise, restore, serve invocations
"""
