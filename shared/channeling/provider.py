"""The three providers by name."""

from typing import Literal

Provider = Literal["anthropic", "openai", "openrouter"]
