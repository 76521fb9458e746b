"""Globs: `*` stands for any text, `?` for any one character, everything else for itself."""

MAX_PATTERN = 1024


def glob_matches(pattern: str, text: str) -> bool:
    """Tell whether the whole of `text` fits `pattern`, in one pass over the text.

    The pattern is run as an automaton whose states are bits: bit i is set when what was read so far fits the
    first i items of the pattern. Nothing is tried twice, so no pattern makes it slow.
    """
    accepting: dict[str, int] = {}
    any_character = stars = length = 0
    for item in pattern:
        if item == "*":
            stars |= 1 << length
            continue
        if item == "?":
            any_character |= 1 << length
        else:
            accepting[item] = accepting.get(item, 0) | 1 << length
        length += 1
    state = 1
    for character in text:
        advanced = (state & (accepting.get(character, 0) | any_character)) << 1
        state = advanced | (state & stars)
        if not state:
            return False
    return bool(state >> length)
