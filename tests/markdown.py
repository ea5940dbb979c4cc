"""Code blocks of a Markdown page, and the commands in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_FOLDERS = ("*.md", "docs/*.md", "examples/**/*.md", "trm_edge/**/*.md")
PAGES = sorted(page for pattern in _FOLDERS for page in ROOT.glob(pattern))

_BLOCK = re.compile(
    r"(?:^<!-- needs: (?P<needs>\w+) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_SEPARATORS = {"|", "||", "&&", ";", ">", ">>", "<", "&"}


@dataclass(frozen=True)
class Block:
    """A fenced code block.

    Args:
        page: the Markdown file.
        line: line of the first line of code, from 1.
        language: the word after the fence.
        text: the code.
        needs: what ``<!-- needs: X -->`` above the block names, or None.
    """

    page: Path
    line: int
    language: str
    text: str
    needs: str | None


def code_blocks(page: Path) -> list[Block]:
    """Read the code blocks of a page.

    Args:
        page: the Markdown file.
    """
    text = page.read_text(encoding="utf-8")
    blocks = []
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("text")) + 1
        block = Block(page, line, match["language"], match["text"], match["needs"])
        blocks.append(block)
    return blocks


def shell_lines(block: Block) -> list[str]:
    """Command lines of a shell block; of a console block, those behind the prompt.

    Args:
        block: a block of any language.

    Returns:
        The lines with continuation lines joined; none for other languages.
    """
    lines = block.text.replace("\\\n", " ").splitlines()
    if block.language == "console":
        return [line[2:] for line in lines if line.startswith("$ ")]
    if block.language == "sh":
        return lines
    return []


def simple_commands(line: str) -> list[list[str]]:
    """Split a shell line at pipes, redirections and ``&&``; comments are dropped.

    Args:
        line: one line of a shell script.

    Returns:
        One list of words for each command, the program first.
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    commands: list[list[str]] = [[]]
    skip_target = False
    for word in lexer:
        if word in _SEPARATORS:
            skip_target = word in {">", ">>", "<"}
            if not skip_target:
                commands.append([])
        elif skip_target:
            skip_target = False
        else:
            commands[-1].append(word)
    return [words for words in commands if words]


def documented_commands(page: Path) -> list[tuple[str, list[str]]]:
    """Every ``trm-edge`` command in the shell blocks of a page.

    Args:
        page: the Markdown file.

    Returns:
        For each command, where it stands and its arguments.
    """
    commands = []
    for block in code_blocks(page):
        for line in shell_lines(block):
            for words in simple_commands(line):
                if words[0] == "trm-edge":
                    commands.append((f"{page.name}:{block.line}: {line}", words[1:]))
    return commands
