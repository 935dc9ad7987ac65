"""Loading libraries without parts that the tray never uses: TLS and fonts cost it 5 MiB.

Only the tray process calls this, at its start: a process that loaded Pillow so cannot write text into pictures.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Within the block these modules cannot be imported; the libraries that ask for them are written to do without."""
    blocked = [name for name in names if name not in sys.modules]
    for name in blocked:
        sys.modules[name] = None  # type: ignore[assignment] # documented: an import then raises ModuleNotFoundError
    try:
        yield
    finally:
        for name in blocked:
            del sys.modules[name]


def load() -> None:
    """Load asyncio without OpenSSL (4 MiB, 4 ms) and Pillow's drawing without its fonts (1.3 MiB)."""
    with without("ssl", "PIL._imagingft"):
        import_module("PIL.ImageDraw")
        if sys.platform == "linux":
            import_module("asyncio")
