"""Every kind of event and of output item that the Responses API has, and what becomes of it.

Source: `openai` 3.54.0, `types/responses/response_stream_event.py` and `response_output_item.py`; a test walks both
unions. What is in none of these sets is newer than this code.
"""

# They say how far a tool or a part is; the text itself and the results come with other events.
PASSED_OVER_EVENTS = frozenset(
    {
        "response.content_part.added",
        "response.reasoning_summary_part.added",
        "response.web_search_call.in_progress",
        "response.web_search_call.searching",
        "response.web_search_call.completed",
    }
)

# Output that a translated request never asks for. A message without it would be missing something in silence.
REFUSED_EVENT_PREFIXES = (
    "response.audio.",
    "response.code_interpreter_call",
    "response.compaction.",
    "response.custom_tool_call_input.",
    "response.file_search_call.",
    "response.image_generation_call.",
    "response.mcp_call",
    "response.mcp_list_tools.",
    "response.shell_call_",
)

REFUSED_ITEMS = frozenset(
    {
        "additional_tools",
        "apply_patch_call",
        "apply_patch_call_output",
        "code_interpreter_call",
        "compaction",
        "computer_call",
        "computer_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
        "file_search_call",
        "function_call_output",
        "image_generation_call",
        "local_shell_call",
        "local_shell_call_output",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
        "mcp_list_tools",
        "program",
        "program_output",
        "shell_call",
        "shell_call_output",
        "tool_search_call",
        "tool_search_output",
    }
)
