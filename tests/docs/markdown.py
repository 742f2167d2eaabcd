"""What a test needs of a Markdown file: its fenced blocks, its links, its headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(?P<title>.+?) *$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` is where its fence opens, `output` the ``text`` block right after."""

    language: str
    text: str
    line: int
    output: str | None = None


def blocks(markdown: str, language: str) -> list[Block]:
    """The fenced blocks of `language`, in order, without their indentation."""
    found = list(_blocks(markdown))
    return [block for block in found if block.language == language]


def without_blocks(markdown: str) -> str:
    """The text around the fenced blocks."""
    return _FENCE.sub("", markdown)


def links(markdown: str) -> list[str]:
    """The targets of the links outside of fenced blocks."""
    return [match["target"] for match in _LINK.finditer(without_blocks(markdown))]


def anchors(markdown: str) -> set[str]:
    """What its headings are linked by, as GitHub makes them."""
    titles = [match["title"] for match in _HEADING.finditer(without_blocks(markdown))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _blocks(markdown: str) -> Iterator[Block]:
    matches = list(_FENCE.finditer(markdown))
    for match, after in zip(matches, [*matches[1:], None], strict=False):
        output = None
        if after is not None and after["language"] == "text":
            between = markdown[match.end() : after.start()]
            output = after["text"] if not between.strip() else None
        indent = match["indent"]
        lines = match["text"].splitlines(keepends=True)
        text = "".join(line.removeprefix(indent) for line in lines)
        line = markdown.count("\n", 0, match.start()) + 1
        yield Block(match["language"], text, line, output)
