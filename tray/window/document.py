"""The one HTML document of the window: the files of `assets/web` put together, with a content security policy.

Nothing is served and nothing is loaded: style sheets and scripts are put into the page, each with a nonce that is new at every
start. Markup comes from our own files only; data travels as JSON in an element that no browser executes.
"""

import json
import re
import secrets
from pathlib import Path
from typing import Any

_STYLE = re.compile(r'<link rel="stylesheet" href="([\w./-]+)">')
_SCRIPT = re.compile(r'<script src="([\w./-]+)"></script>')
_BOOT = "<!-- boot -->"
_POLICY = "<!-- policy -->"


def policy(nonce: str) -> str:
    """Return the content security policy: our own scripts and styles, known by *nonce*, and nothing else at all."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'nonce-{nonce}'",
            f"style-src 'nonce-{nonce}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def build(folder: Path, boot: dict[str, Any]) -> str:
    """Return the document.

    Args:
        folder: `assets/web`, which holds `index.html`.
        boot: What the scripts find at their start, plain JSON.

    Raises:
        OSError: A file is missing.
        ValueError: A file cannot be put into the page.
    """
    nonce = secrets.token_urlsafe(18)
    page = (folder / "index.html").read_text(encoding="utf-8")
    page = _STYLE.sub(lambda match: f'<style nonce="{nonce}">\n{_part(folder, match[1], "</style")}</style>', page)
    page = _SCRIPT.sub(lambda match: f'<script nonce="{nonce}">\n{_part(folder, match[1], "</script")}</script>', page)
    page = page.replace(_POLICY, f'<meta http-equiv="Content-Security-Policy" content="{policy(nonce)}">', 1)
    return page.replace(_BOOT, f'<script type="application/json" id="boot">{literal(boot)}</script>', 1)


def literal(value: Any) -> str:
    r"""Return *value* as JSON that is also safe as JavaScript and inside HTML: ASCII only, `<`, `>` and `&` as `\u003c`..."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _part(folder: Path, name: str, end: str) -> str:
    text = (folder / name).read_text(encoding="utf-8")
    if end in text.lower():
        raise ValueError(f"{name} holds {end!r}, which would end its element early")
    return text
