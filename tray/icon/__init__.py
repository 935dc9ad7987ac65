"""The tray process: icon, tooltip, menu.

launch.py        the start of the process          app.py      polls the status and shows it
menu.py          the menu and what it offers       render.py   the look of the icon
sni.py           the icon for today's Linux panels, with dbusmenu.py and dbus_objects.py
gtk.py           the icon for older trays, which xembed.py finds

`import pystray` picks a toolkit by itself and dies without a display; told to be the dummy, it only brings `Menu` and the base
class of icons, which is all that our Linux backends need.
"""

import os
import sys

if sys.platform == "linux":
    os.environ.setdefault("PYSTRAY_BACKEND", "dummy")
