"""What may be a base URL is decided once, and names of credentials' keepers are none."""

import pytest

from channeling.base_url import BaseUrlInvalid, checked_base_url, is_forbidden_peer


@pytest.mark.parametrize(
    ("text", "base_url"),
    [
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
        ("https://vllm.example.com:8443/v1//", "https://vllm.example.com:8443/v1"),
        ("http://10.0.3.7:8000/v1", "http://10.0.3.7:8000/v1"),
        ("http://[fd12:3456::1]:8000", "http://[fd12:3456::1]:8000"),
    ],
)
@pytest.mark.parametrize("on_lambda", [False, True])
def test_addresses(text: str, base_url: str, on_lambda: bool) -> None:
    assert checked_base_url(text, on_lambda=on_lambda) == base_url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.example.com/v1",
        "ftp://example.com",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://user:secret@example.com/v1",
        "https://:secret@example.com/v1",
        "https://@example.com",
        "https://example.com/v1?key=secret",
        "https://example.com/?",
        "https://example.com/#",
        "https://example.com\\@evil.example/",
        "https://exa mple.com",
        "https://example.com/\n",
        "https://example.com:0",
        "https://example.com:99999",
        "https://[::1",
        "https://ex\u00e4mple.com",
        "https://example.com/" + "a" * 500,
        # Where clouds keep credentials.
        "http://169.254.169.254/latest",
        "http://169.254.170.2",
        "http://[fe80::1]/v1",
        "http://[fd00:ec2::254]",
        "http://[::ffff:169.254.169.254]",
    ],
)
@pytest.mark.parametrize("on_lambda", [False, True])
def test_what_is_none(text: str, on_lambda: bool) -> None:
    with pytest.raises(BaseUrlInvalid) as refusal:
        checked_base_url(text, on_lambda=on_lambda)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    ["http://127.0.0.1:9001/2018-06-01", "http://localhost:8000/v1", "http://x.localhost", "http://[::1]"],
)
def test_the_machine_itself_is_one_but_on_lambda(text: str) -> None:
    assert checked_base_url(text) == text
    with pytest.raises(BaseUrlInvalid, match="machine itself"):
        checked_base_url(text, on_lambda=True)


@pytest.mark.parametrize(
    ("address", "forbidden"),
    [
        ("93.184.216.34", False),
        ("10.0.3.7", False),
        ("192.168.1.1", False),
        ("2606:2800:220:1::1", False),
        ("fd12:3456::1", False),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("0.0.0.0", True),
        ("::1", True),
        ("::", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:169.254.169.254", True),
        ("169.254.169.254", True),
        ("169.254.170.2", True),
        ("fe80::1%eth0", True),
        ("fd00:ec2::254", True),
        ("224.0.0.1", True),
        ("/run/socket", True),
    ],
)
def test_peers(address: str, forbidden: bool) -> None:
    assert is_forbidden_peer(address) is forbidden
