"""Runs Python snippets of a page, one after the other, in one process: importing LangChain alone takes seconds.

Each line of standard input is {"code", "variables"}; each is answered with a line {"printed"}: what the snippet
printed, and the last line of the error that it ended in.
"""

import contextlib
import io
import json
import os
import sys
import traceback

for line in sys.stdin:
    asked = json.loads(line)
    os.environ.update(asked["variables"])
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(asked["code"], "the page", "exec"), {"__name__": "__main__"})  # noqa: S102 - our own page
        except Exception as error:
            printed.write("".join(traceback.format_exception_only(error)))
    print(json.dumps({"printed": printed.getvalue()}), flush=True)
