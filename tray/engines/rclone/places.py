"""rclone's places (`remote:path`, `/path`, `:sftp,host=h,pass=…:path`) without the secrets that a connection string may hold."""

from tray.engines.text import words

_TELLING = words(
    """host user port endpoint region provider account remote bucket drive_id share_name url site_url team_drive root_folder_id
    upstreams shared_with_me trashed_only impersonate tenant domain"""
)


def shown(place: str) -> str:
    """Return *place* as it may be shown: of a connection string only the options that say where it is.

    The passwords in it are only obscured: whoever reads them can turn them back. An option that we do not know may be another one.
    """
    if "," not in place.partition("/")[0]:
        return place
    start = 1 if place.startswith(":") else 0
    parts, path = _split(place, start)
    if path is None:
        return place
    kept = [part for part in parts[1:] if part.partition("=")[0].strip() in _TELLING and "," not in part]
    return ",".join([place[:start] + parts[0], *kept]) + ":" + path


def _split(text: str, start: int) -> tuple[list[str], str | None]:
    """Split at commas outside quotes up to the colon that ends the options; a doubled quote is one."""
    parts, quote, begin = [], "", start
    for i in range(start, len(text)):
        char = text[i]
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and text[i - 1 : i] == "=":
            quote = char
        elif char == ",":
            parts.append(text[begin:i])
            begin = i + 1
        elif char == ":":
            return [*parts, text[begin:i]], text[i + 1 :]
    return parts, None
