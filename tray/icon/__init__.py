"""The tray process: icon, tooltip, menu.

`import pystray` picks a toolkit by itself and dies without a display; told to be the dummy, it only brings `Menu` and the base
class of icons, which is all that our Linux backends need.
"""

import os
import sys

if sys.platform == "linux":
    os.environ.setdefault("PYSTRAY_BACKEND", "dummy")
