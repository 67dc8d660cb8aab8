"""The tools that Anthropic defines and the client runs, as functions with their published parameters.

Sources: platform.claude.com/docs/en/agents-and-tools/tool-use/bash-tool, /text-editor-tool and /memory-tool,
"Parameters" and "Tool commands".
"""

from collections.abc import Mapping
from typing import Any

_TEXT = {"type": "string"}
_RANGE = {
    "type": "array",
    "items": {"type": "integer"},
    "description": "First and last line to show, counted from 1; -1 for the end of the file.",
}
_BASH = {
    "description": "Run a command in a bash shell that keeps its state between calls.",
    "properties": {
        "command": {**_TEXT, "description": "The command to run. Needed unless the shell is restarted."},
        "restart": {"type": "boolean", "description": "Start the shell anew."},
    },
    "required": [],
}


def _file_commands(description: str, commands: tuple[str, ...], more: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "description": description,
        "properties": {
            "command": {"type": "string", "enum": list(commands)},
            "path": {**_TEXT, "description": "The file or directory that the command is about."},
            "view_range": {**_RANGE},
            "file_text": {**_TEXT, "description": "For create: the content of the new file."},
            "old_str": {
                **_TEXT,
                "description": "For str_replace: the text to replace, which must occur once.",
            },
            "new_str": {**_TEXT, "description": "For str_replace: the text to put in its place."},
            "insert_line": {
                "type": "integer",
                "description": "For insert: the line to insert after, 0 for top.",
            },
            **more,
        },
        "required": ["command"],
    }


_INSERTED = {"insert_text": {**_TEXT, "description": "For insert: the text to insert."}}
_EDITOR = "View, create and edit text files."
_EDITOR_COMMANDS = ("view", "create", "str_replace", "insert")
_EARLY_EDITOR = _file_commands(
    _EDITOR,
    (*_EDITOR_COMMANDS, "undo_edit"),
    {"new_str": {**_TEXT, "description": "For str_replace and insert: the text to put there."}},
)
_MEMORY = _file_commands(
    "Keep notes in files under /memories that last between conversations. Look there before starting a task.",
    (*_EDITOR_COMMANDS, "delete", "rename"),
    _INSERTED
    | {
        "old_path": {**_TEXT, "description": "For rename: the present path."},
        "new_path": {**_TEXT, "description": "For rename: the new path."},
    },
)

# By the tool's type: what it is for and what it takes.
FUNCTIONS: Mapping[str, Mapping[str, Any]] = {
    "bash_20241022": _BASH,
    "bash_20250124": _BASH,
    "text_editor_20241022": _EARLY_EDITOR,
    "text_editor_20250124": _EARLY_EDITOR,
    "text_editor_20250429": _file_commands(_EDITOR, _EDITOR_COMMANDS, _INSERTED),
    "text_editor_20250728": _file_commands(_EDITOR, _EDITOR_COMMANDS, _INSERTED),
    "memory_20250818": _MEMORY,
}
