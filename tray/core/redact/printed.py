"""Tell by the text of a password command what it prints: the content of a file, or words."""

import re

_LONGEST = 4096
_CAT = re.compile(r"\s*(?:cat|head -n ?1|/bin/cat|/usr/bin/cat)\s+(\"[^\"]+\"|'[^']+'|[^\s;|&<>$\"']+)\s*")
_ECHO = re.compile(
    r"\s*(?:/usr)?(?:/bin/)?(?:echo|printf)\s+(?:-[neE]{1,3}\s+)?(?:[\"']?%s(?:\\n)?[\"']?\s+)?"
    r"(\"[^\"]+\"|'[^']+'|[^\s;|&<>$\"']+)\s*"
)


def printed_file(command: str) -> str:
    """Return the file whose content a password command prints: of `cat FILE`; "" if it does something else."""
    match = _CAT.fullmatch(command) if len(command) < _LONGEST else None
    return "" if match is None else match[1].strip("\"'")


def printed_words(command: str) -> str:
    """Return the words that a password command prints: of `echo WORDS` or `printf %s WORDS`; "" if it does something else."""
    match = _ECHO.fullmatch(command) if len(command) < _LONGEST else None
    return "" if match is None else match[1].strip("\"'")
