"""What the built messages function costs on Lambda: `make bench-lambda`.

init_time.py   from the first line to ready for an invocation, beside a bare import of httpx and botocore
streams.py     memory after streams, and many streams at a time in one process
upstream.py    the provider of those streams, in a process of its own
sizes.py       bytes of functions with their layers
imports.py     which modules the initialisation imports, and what each costs
"""
