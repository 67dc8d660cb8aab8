"""The targets' names, as they stand in the tables."""

DIRECT, NGINX = "direct", "nginx"
HTTPX, FLOOR = "Starlette + httpx", "Starlette + aiohttp"
CHANNELING = "Channeling"
FUNCTION = f"{CHANNELING}, function"
OPENAI, OPENROUTER = f"{CHANNELING}, OpenAI", f"{CHANNELING}, OpenRouter"
DISTANT_STORE = f"{CHANNELING}, DynamoDB 5 ms"
CLAUDE, CLAUDE_CAPS = "claude gateway", "claude gateway, caps"
LITELLM, LITELLM_OPENAI = "LiteLLM", "LiteLLM, OpenAI"
PORTKEY = "Portkey"
ROUTER = "claude-code-router, OpenAI"
# What Channeling's figures are shown as ratios of.
BESIDE = (FLOOR, CLAUDE_CAPS, CLAUDE, LITELLM, LITELLM_OPENAI, PORTKEY, ROUTER)
