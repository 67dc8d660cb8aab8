"""The built messages function on this machine, without Docker: laid out, started and invoked as Lambda does it.

sam_cli.py               the AWS SAM CLI, which also brings AWS's emulator, installed into .tools/sam
finish_build.py          makes what `sam build` made smaller and quicker to start
artifact.py              what `sam build` makes, unpacked as Lambda unpacks it
sandbox.py               /var/task, /opt, read-only, 512 MB, Lambda's variables (lambda_root.sh, memory_limit.py)
local_gateway.py         a store, the demo project and an upstream beside it

rie.py                   AWS's Runtime Interface Emulator as a process: what is sent
answer.py                what an invocation returns: prelude and body, or an error
invoke.py                `make invoke`: events under AWS's emulator

runtime_api.py           Lambda's side of the Runtime API: when it is sent, and many at a time
invocation.py            one event and its answer on the way
execution_environment.py one process: frozen, killed at its deadline, replaced when it died
function.py              as many environments as there are requests
url_event.py             HTTP request → event
function_url.py          the function URL as an ASGI app
url_server.py            that app on a socket
front.py                 `make serve-lambda`: all of it on a port
"""
