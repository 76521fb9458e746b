"""Tells the texts in which nothing can be an anchor, an alias, a tag or a merge key, without reading them as YAML.

These are the texts that we write, and most of what people write: block style, in each line no more than dashes, a key
and a value. A key or a value begins with a letter or a digit, or stands in quotes; it ends in its line, or is a
literal block. A value may also be a list or mapping between brackets in which there is none of the marks. Whatever is
in another form may mean no more than that, but has to be looked through to know.
"""

import re

_BREAKS = r"\n\r\x85\u2028\u2029"
"""What ends a line in YAML 1.1."""
_REST = rf"[^{_BREAKS}]*+"
_END = r"(?:\n|\Z)"
_PLAIN = rf"(?:[\w/(]|-(?=\w))(?:[^:#\t\ufeff{_BREAKS}]++|:(?=[!-~])|(?<=[!-~])#)*+"
"""It goes on up to a colon or a hash that means something: before a space, or behind one."""
_TEXT = rf"""(?:"(?:[^"\\\n]++|\\[^\n])*+"|'(?:[^'\n]++|'')*+'|{_PLAIN})"""
_INSIDE = rf"""[^\[\]{{}}&*!<"'#{_BREAKS}]*+"""
_VALUE = rf"(?:{_TEXT}|\[{_INSIDE}\]|\{{{_INSIDE}\}})"
_COMMENT = rf"(?:(?<![^ \n])#{_REST})?+"
_LINE = rf" *+(?:-(?: ++|(?=\n|\Z)))*+(?:{_TEXT}:(?=[ \n]|\Z))?+ *+{_VALUE}?+ *+{_COMMENT}{_END}"


def _block(head: str, deeper: str, group: int) -> str:
    """Return a line that ends in a literal block, and the lines of that, which are indented alike.

    `deeper` is what their indent has at least beyond that of the line; `group` is the number of the first group.
    """
    lines = rf"\n(?:\{group + 1}{_REST}| *+(?=\n|\Z))"
    return rf"( *+){head}\|-?\n(\{group}{deeper} *+)[^ \t{_BREAKS}]{_REST}(?:{lines})*+{_END}"


_LINES = re.compile(
    "|".join(
        (
            rf"(?:{_LINE}){{1,200}}",
            _block(rf"{_TEXT}: ++", " ", 1),
            _block(rf"- {_TEXT}: ++", "   ", 3),
            _block("- ", " ", 5),
        )
    )
)


def is_in_plain_form(text: str) -> bool:
    """Return whether every line of a text is in the form described above."""
    end = 0
    for lines in _LINES.finditer(text):
        if lines.start() != end:
            return False
        end = lines.end()
    return end == len(text)
