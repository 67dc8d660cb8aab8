"""Settings are read from the variables given, with working defaults, and a wrong one is named."""

from pathlib import Path

import pytest

from channeling.settings import Settings, SettingsError
from channeling.tables import TableNames

REQUIRED = {
    "CHANNELING_PROJECTS_TABLE": "p",
    "CHANNELING_BUDGETS_TABLE": "b",
    "CHANNELING_USAGE_TABLE": "u",
    "CHANNELING_KEY_FILE": "/keys/local",
}


def test_only_tables_and_a_key_are_required() -> None:
    settings = Settings.from_environ(REQUIRED)
    assert settings == Settings(tables=TableNames("p", "b", "u"), key_file=Path("/keys/local"))
    assert settings.base_urls["openrouter"] == "https://openrouter.ai/api/v1"
    assert settings.hold_lifetime_s == 960


def test_a_function_on_lambda_knows_that_it_is_one() -> None:
    settings = Settings.from_environ({**REQUIRED, "AWS_LAMBDA_FUNCTION_NAME": "messages"})
    assert settings.on_lambda
    assert settings.hosts == {"api.anthropic.com", "api.openai.com", "openrouter.ai"}


def test_every_variable_is_read() -> None:
    settings = Settings.from_environ(
        {
            **REQUIRED,
            "CHANNELING_KEY_FILE": " ",
            "CHANNELING_KMS_KEY_ID": "alias/x",
            "CHANNELING_ANTHROPIC_BASE_URL": "http://127.0.0.1:9000/",
            "CHANNELING_OPENAI_BASE_URL": "http://vllm:8000/v1",
            "CHANNELING_MAX_REQUEST_SECONDS": "60",
            "CHANNELING_PROJECT_CACHE_MILLISECONDS": "250",
            "CHANNELING_MAX_BODY_BYTES": "6291456",
            "CHANNELING_CORS_ORIGINS": "https://a.example, http://localhost:3000",
            "CHANNELING_ENFORCEMENT": "soft",
            "CHANNELING_MAX_CONCURRENT": "8",
            "CHANNELING_CEILING_INPUT_USD_PER_MTOK": "0.25",
            "CHANNELING_CEILING_OUTPUT_USD_PER_MTOK": "75.000000001",
        }
    )
    assert settings == Settings(
        tables=TableNames("p", "b", "u"),
        kms_key_id="alias/x",
        base_urls={
            "anthropic": "http://127.0.0.1:9000",
            "openai": "http://vllm:8000/v1",
            "openrouter": "https://openrouter.ai/api/v1",
        },
        max_request_s=60,
        project_cache_ms=250,
        max_body_bytes=6291456,
        cors_origins=("https://a.example", "http://localhost:3000"),
        enforcement="soft",
        max_concurrent=8,
        ceiling_input_nanousd_per_mtok=250_000_000,
        ceiling_output_nanousd_per_mtok=75_000_000_001,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHANNELING_PROJECTS_TABLE", ""),
        ("CHANNELING_USAGE_TABLE", " "),
        ("CHANNELING_KEY_FILE", ""),
        ("CHANNELING_KMS_KEY_ID", "both-at-once"),
        ("CHANNELING_ANTHROPIC_BASE_URL", "https://api.anthropic.com/v1"),
        ("CHANNELING_ANTHROPIC_BASE_URL", "api.anthropic.com"),
        ("CHANNELING_OPENAI_BASE_URL", "https://user:secret@example.com/v1"),
        ("CHANNELING_OPENAI_BASE_URL", "https://[::1/v1"),
        ("CHANNELING_OPENAI_BASE_URL", "https://example.com:99999/v1"),
        ("CHANNELING_OPENROUTER_BASE_URL", "file:///etc/passwd"),
        ("CHANNELING_OPENROUTER_BASE_URL", "https://example.com/?a=b"),
        ("CHANNELING_MAX_REQUEST_SECONDS", "0"),
        ("CHANNELING_MAX_REQUEST_SECONDS", "3540"),
        ("CHANNELING_MAX_REQUEST_SECONDS", "1e3"),
        ("CHANNELING_PROJECT_CACHE_MILLISECONDS", "60001"),
        ("CHANNELING_MAX_BODY_BYTES", "9" * 5000),
        ("CHANNELING_MAX_CONCURRENT", "129"),
        ("CHANNELING_MAX_CONCURRENT", "٣"),
        ("CHANNELING_CORS_ORIGINS", "https://a.example/path"),
        ("CHANNELING_CORS_ORIGINS", "a.example"),
        ("CHANNELING_ENFORCEMENT", "lenient"),
        ("CHANNELING_CEILING_INPUT_USD_PER_MTOK", "0"),
        ("CHANNELING_CEILING_INPUT_USD_PER_MTOK", "NaN"),
        ("CHANNELING_CEILING_OUTPUT_USD_PER_MTOK", "1e99"),
        ("CHANNELING_CEILING_OUTPUT_USD_PER_MTOK", "1e-10"),
        ("CHANNELING_CEILING_OUTPUT_USD_PER_MTOK", "three"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environ({**REQUIRED, name: value})
