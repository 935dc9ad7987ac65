"""The log as a folder of files in the layout of C2SP tlog-tiles (https://c2sp.org/tlog-tiles), which other tools can read.

    checkpoint                  the signed checkpoint; written last
    tile/<L>/<N>[.p/<W>]        hashes: at level 0 of entries, above it of full tiles of the level below; 256 of them, or W
    tile/entries/<N>[.p/<W>]    the entries: each a length of two bytes, the highest first, and its bytes
    details/<N>[.p/<W>]         ours: the bodies of these entries, one JSON object a line: body, salt, seq

`<N>` is written in groups of three digits, each but the last a folder: 1234067 is `x001/x234/067`. Bodies hold what may have to be
erased some day, and an erasure does not reach copies: so by default only those are written that can never be erased and that a
verification needs (keys, pruning). FORMAT.md says more; `standalone.py` checks such a folder.

`exporting` writes it, `check` reads it back, and `files` knows where each file is and how it comes there.
"""

from tray.audit.tlog.check import holds
from tray.audit.tlog.exporting import Exported, export, reading
from tray.audit.tlog.files import CHECKPOINT, DETAILS, ENTRIES, make, place, split, write, writing

__all__ = [
    "CHECKPOINT",
    "DETAILS",
    "ENTRIES",
    "Exported",
    "export",
    "holds",
    "make",
    "place",
    "reading",
    "split",
    "write",
    "writing",
]
