"""An AWS endpoint that notes each call, as its bytes say, and has it answered by moto's server behind it.

What is read is the request on the wire (`X-Amz-Target` and the JSON body), so that it does not matter which client
made it.
"""

import http.client
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

# Of X-Amz-Target: the service's own name for itself, and IAM's.
_SERVICES = {
    "DynamoDB_20120810": "dynamodb",
    "TrentService": "kms",
    "secretsmanager": "secretsmanager",
    "AWSEvents": "events",
}
_IN_TRANSACTIONS = {
    "Update": "UpdateItem",
    "Put": "PutItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "GetItem",
}
_KEYWORDS = {"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "BETWEEN", "IN"}
_NOT_HANDED_ON = {"host", "connection", "content-length", "transfer-encoding"}


@dataclass(frozen=True, slots=True)
class AwsCall:
    """One call in IAM's words: `action` on `resource` (a table, an index of it, a key, a secret, a bus); `context`
    is what conditions look at, each a list of values."""

    action: str
    resource: str
    context: dict[str, list[str]] = field(hash=False)


def calls_in(target: str, body: dict[str, Any]) -> list[AwsCall]:
    """Return what a request asks leave for; a transaction asks for each of its writes."""
    name, _, operation = target.partition(".")
    service = _SERVICES[name]
    if operation == "TransactWriteItems":
        return [
            AwsCall(f"dynamodb:{_IN_TRANSACTIONS[kind]}", _table(part), _dynamodb_context(part))
            for each in body["TransactItems"]
            for kind, part in each.items()
        ]
    action = f"{service}:{operation}"
    match service:
        case "dynamodb":
            return [AwsCall(action, _table(body), _dynamodb_context(body))]
        case "kms":
            context = {
                f"kms:EncryptionContext:{name}": [value]
                for name, value in body.get("EncryptionContext", {}).items()
            }
            return [AwsCall(action, body["KeyId"], context)]
        case "secretsmanager":
            return [AwsCall(action, body["SecretId"], {})]
        case "events":
            return [
                AwsCall(action, entry["EventBusName"], {"events:source": [entry["Source"]]})
                for entry in body["Entries"]
            ]
    raise AssertionError(target)


def _table(body: dict[str, Any]) -> str:
    index = body.get("IndexName")
    return str(body["TableName"]) + (f"/index/{index}" if index else "")


def _dynamodb_context(body: dict[str, Any]) -> dict[str, list[str]]:
    key = body.get("Key") or {
        name: body["Item"][name] for name in ("pk", "sk") if name in body.get("Item", {})
    }
    names = body.get("ExpressionAttributeNames", {})
    attributes = set(body.get("Item", {})) | set(key)
    for expression in (
        "UpdateExpression",
        "ConditionExpression",
        "ProjectionExpression",
        "KeyConditionExpression",
    ):
        for path in re.findall(r"(?<![\w:.#])#?[A-Za-z_]\w*(?!\w*\s*\()", body.get(expression, "")):
            if path not in _KEYWORDS:
                attributes.add(names.get(path, path))
    return {
        "dynamodb:LeadingKeys": list(key.get("pk", {}).values()),
        "dynamodb:Attributes": sorted(attributes),
    }


class RecordingAws:
    """`with RecordingAws(moto_url) as aws:` listens on `aws.url`; `aws.calls` is what came."""

    def __init__(self, behind: str) -> None:
        self.calls: list[AwsCall] = []
        address = urlsplit(behind)
        calls = self.calls

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                calls.extend(calls_in(self.headers["x-amz-target"], json.loads(body)))
                headers = {
                    name: value for name, value in self.headers.items() if name.lower() not in _NOT_HANDED_ON
                }
                connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
                try:
                    connection.request("POST", self.path, body, headers)
                    answer = connection.getresponse()
                    content = answer.read()
                finally:
                    connection.close()
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in _NOT_HANDED_ON:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="aws", daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
