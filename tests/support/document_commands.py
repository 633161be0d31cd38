"""The shell commands of the documents: those in fenced blocks, and those in code spans."""

import re
import shlex
from typing import Final

from tests.support.paths import ROOT
from tools.prose import files

_FENCED: Final = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPAN: Final = re.compile(r"`([^`\n]+)`")
_SHELLS: Final = {"", "sh", "shell", "bash", "console"}
#: The programs that code spans name with arguments.
_PROGRAM: Final = re.compile(
    r"(?:time )?(?:[A-Z_]+=\S+ )*"
    r"(make|sam|aws|git|curl|docker|pre-commit|\.venv/bin/\S+|python -m tools\S*)(?: |$)"
)


def document_commands() -> dict[str, set[str]]:
    """Return each command with the documents that contain it, without comments."""
    documents_by_command: dict[str, set[str]] = {}
    for document in (path for path in files([]) if _is_document(path)):
        text = (ROOT / document).read_text()
        for language, body in _FENCED.findall(text):
            if language in _SHELLS:
                for command in _lines(body):
                    documents_by_command.setdefault(command, set()).add(document)
        for span in _SPAN.findall(_FENCED.sub("", text)):
            if _PROGRAM.match(span) and " " in span:
                documents_by_command.setdefault(span, set()).add(document)
    return documents_by_command


def _is_document(path: str) -> bool:
    return path in ("README.md", "CONTRIBUTING.md") or bool(re.fullmatch(r"docs/[^/]+\.md", path))


def _lines(body: str) -> list[str]:
    lines = (re.sub(r"(^|\s)#.*$", "", it).strip() for it in body.replace("\\\n", " ").splitlines())
    return [part.strip() for line in lines if line for part in line.split(" && ")]


def words(command: str) -> tuple[dict[str, str], list[str]]:
    """Return a command's leading variable assignments and its words; `<name>` becomes one word."""
    plain = re.sub(r"<[^>]+>", lambda match: re.sub(r"\W", "-", match[0].strip("<>")), command)
    parts = shlex.split(plain.replace("…", "x"))
    if parts and parts[0] == "time":
        parts = parts[1:]
    variables: dict[str, str] = {}
    while parts and re.match(r"[A-Z_]+=", parts[0]):
        name, _, value = parts.pop(0).partition("=")
        variables[name] = value
    return variables, parts
