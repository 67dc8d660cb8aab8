"""The built messages function on this machine, under AWS's Lambda Runtime Interface Emulator, without Docker.

sam_cli.py    the AWS SAM CLI, which also brings the emulator, installed into .tools/sam
artifact.py   what `sam build` makes, laid out as Lambda lays it out
rie.py        the emulator as a process, and invocations of it
answer.py     what an invocation returns: prelude and body, or an error
invoke.py     `make invoke EVENT=…`: all of it with an embedded store and a demo upstream
"""
