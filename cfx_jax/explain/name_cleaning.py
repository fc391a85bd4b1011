"""Names without what cannot be printed: as pages, tables and results hold them."""

_INSTEAD = "\N{REPLACEMENT CHARACTER}"


def clean_name(name: str) -> str:
    """A name with a replacement character for each one that cannot be printed.

    Such are ends of lines, and bytes of a file's name that are no text.

    Args:
        name: any text.

    Example:
        >>> clean_name("a\\nb") == "a\\N{REPLACEMENT CHARACTER}b"
        True
    """
    return "".join(letter if letter.isprintable() else _INSTEAD for letter in name)
