"""What a password command prints, where its text tells: the content of a file, or words of its own."""

import re

_LONGEST = 4096
_CAT = re.compile(r"\s*(?:cat|head -n ?1|/bin/cat|/usr/bin/cat)\s+(\"[^\"]+\"|'[^']+'|[^\s;|&<>$\"']+)\s*")
_ECHO = re.compile(
    r"\s*(?:/usr)?(?:/bin/)?(?:echo|printf)\s+(?:-[neE]{1,3}\s+)?(?:[\"']?%s(?:\\n)?[\"']?\s+)?"
    r"(\"[^\"]+\"|'[^']+'|[^\s;|&<>$\"']+)\s*"
)


def printed_file(command: str) -> str:
    """Return the file whose content a password command prints: of `cat FILE`; "" if it does something else."""
    found = _CAT.fullmatch(command) if len(command) < _LONGEST else None
    return "" if found is None else found[1].strip("\"'")


def printed_words(command: str) -> str:
    """Return what a password command prints by itself: of `echo WORDS` or `printf %s WORDS`; "" if it does something else."""
    found = _ECHO.fullmatch(command) if len(command) < _LONGEST else None
    return "" if found is None else found[1].strip("\"'")
