"""Why a request has no answer. No message names an address or repeats a byte of a request."""


class HttpError(Exception):
    """The request has no whole answer."""


class Interrupted(Exception):
    """A wait for the body was ended from outside. Nothing is wrong with the response: it may be asked again."""


class NotSent(HttpError):
    """No byte of the request has left this machine."""


class UrlUnusable(NotSent):
    """The URL is no http(s) address that can be called."""


class RequestForbidden(NotSent):
    """The request's method or a header is one that HTTP does not allow, or that is not the caller's to set."""


class ConnectFailed(NotSent):
    """Nobody answered at the address: no such name, no such port, no valid certificate."""


class ConnectTimedOut(ConnectFailed):
    """No connection came about in time."""


class TooManyConnections(NotSent):
    """All connections were in use for as long as a request may wait for one."""


class PeerRefused(NotSent):
    """The address that the name led to is one that is not called."""


class SendTimedOut(HttpError):
    """The server did not take the request in time."""


class ReadTimedOut(HttpError):
    """The server did not answer in time."""


class ConnectionBroken(HttpError):
    """The connection ended before the answer did."""


class ResponseMalformed(HttpError):
    """What came is no HTTP response, or one beyond every limit."""


class BodyUndecodable(HttpError):
    """The body is not in the encoding that its headers name."""


class UnknownEncoding(BodyUndecodable):
    """The body is in an encoding that is not known; `encoding` is its name, shortened."""

    def __init__(self, encoding: str) -> None:
        super().__init__(f"the body is in the unknown encoding {encoding[:40]!r}")
        self.encoding = encoding[:40]


class BodyTooLong(HttpError):
    """The body is longer than its reader allows."""
