"""Undoing a body's content-encoding as it comes, in bounded pieces: a small body may unpack to a huge one."""

import zlib
from collections.abc import Iterator

from channeling.http1.errors import BodyUndecodable

_LONGEST_PIECE = 256 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_RAW_DEFLATE = -zlib.MAX_WBITS
_ZLIB_HEADER_BYTES = 2
KNOWN_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})


class BodyDecoder:
    """Decodes gzip (of any number of members) or deflate (which some servers send without its zlib wrapping)."""

    def __init__(self, encoding: str) -> None:
        self._is_gzip = encoding != "deflate"
        self._inflater = zlib.decompressobj(_GZIP) if self._is_gzip else None
        # The first bytes of deflate, until they say which of its two forms it is.
        self._beginning = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what these bytes unpack to; raise BodyUndecodable."""
        if self._inflater is None:
            data = self._beginning = self._beginning + data
            if len(data) < _ZLIB_HEADER_BYTES:
                return
            self._inflater = zlib.decompressobj(zlib.MAX_WBITS if _is_zlib(data) else _RAW_DEFLATE)
        is_full = False
        # A piece that is full may leave more of it in the inflater, though no input is left.
        while data or is_full:
            if self._inflater.eof:
                if not self._is_gzip:
                    return  # what follows the end is nobody's
                self._inflater = zlib.decompressobj(_GZIP)
            try:
                piece = self._inflater.decompress(data, _LONGEST_PIECE)
            except zlib.error as error:
                raise BodyUndecodable("the body is not in the encoding that its headers name") from error
            is_full = len(piece) == _LONGEST_PIECE and not self._inflater.eof
            data = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
            if piece:
                yield piece

    def end(self) -> None:
        """Say that the body has ended; raise BodyUndecodable where it was cut off."""
        if self._inflater is None or not self._inflater.eof:
            raise BodyUndecodable("the compressed body was cut off")


def _is_zlib(data: bytes) -> bool:
    """RFC 1950, section 2.2: method 8, and the first two bytes as a number are a multiple of 31."""
    return data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
