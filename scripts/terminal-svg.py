#!/usr/bin/env python3
"""Draws the output of a program as a picture of a terminal, in SVG.

    cargo run -p liverysync-cli -- demo | scripts/terminal-svg.py '$ liverysync demo' > docs/demo.svg

Reads the text from standard input; the arguments are lines to show above it. The picture has light and dark colours and
follows the reader's preference.
"""

import sys
import unicodedata
from xml.sax.saxutils import escape

FONT_SIZE = 14
LINE_HEIGHT = 20
MARGIN = 20
TITLE_HEIGHT = 36
# A monospace character is 0.6 em wide in nearly all fonts; `textLength` makes the others fit.
CHAR_WIDTH = 0.6 * FONT_SIZE

STYLE = """\
  .page { fill: #f6f8fa; stroke: #d0d7de }
  .text { fill: #1f2328 }
  .command { fill: #0550ae; font-weight: bold }
  .good { fill: #116329 }
  .conflict { fill: #953800 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #161b22; stroke: #3d444d }
    .text { fill: #d1d7e0 }
    .command { fill: #79c0ff }
    .good { fill: #56d364 }
    .conflict { fill: #ffa657 }
  }"""


def width(line: str) -> int:
    """Returns the number of columns that a line takes in a terminal."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line if not unicodedata.combining(char))


def colour(line: str) -> str:
    """Returns the class of a line."""
    if line.startswith("$ "):
        return "command"
    if "conflict:" in line.lower():
        return "conflict"
    if any(word in line for word in ("in sync", "Checked:", "Nothing is lost:")):
        return "good"
    return "text"


def picture(lines: list[str]) -> str:
    columns = max(width(line) for line in lines)
    size = (round(columns * CHAR_WIDTH + 2 * MARGIN), TITLE_HEIGHT + len(lines) * LINE_HEIGHT + MARGIN)
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" viewBox="0 0 {size[0]} {size[1]}"'
        f' role="img" aria-label="A terminal with the output of the program">',
        f"<style>\n{STYLE}\n</style>",
        f'<rect class="page" x="0.5" y="0.5" width="{size[0] - 1}" height="{size[1] - 1}" rx="8"/>',
    ]
    for number, fill in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        svg.append(f'<circle cx="{MARGIN + 20 * number}" cy="18" r="6" fill="{fill}"/>')
    svg.append(
        '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace"'
        f' font-size="{FONT_SIZE}" xml:space="preserve">'
    )
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        y = TITLE_HEIGHT + (number + 1) * LINE_HEIGHT - 5
        length = f'textLength="{width(line) * CHAR_WIDTH:.1f}" lengthAdjust="spacingAndGlyphs"'
        svg.append(f'<text class="{colour(line)}" x="{MARGIN}" y="{y}" {length}>{escape(line)}</text>')
    svg += ["</g>", "</svg>", ""]
    return "\n".join(svg)


def main() -> None:
    lines = sys.argv[1:] + [line.rstrip().expandtabs() for line in sys.stdin.read().splitlines()]
    if not lines:
        sys.exit("error: there is nothing to show on standard input")
    sys.stdout.write(picture(lines))


if __name__ == "__main__":
    main()
