"""Write a sheet as JSON: the same blocks that a person reads, for programs that need not read sentences out of a PDF.

Each block has a `type` (`figures`, `facts`, `lines`, `steps`, `note`, `belief`, `charts`, `days`, `listing`) and its texts as they
are shown. Keys may be added; none is renamed.
"""

import json
from typing import Any

from tray.report import facts


def written(sheet: facts.Sheet) -> bytes:
    """Return the report as one JSON object, UTF-8."""
    data = {
        "kind": sheet.kind,
        "headline": sheet.headline,
        "tone": sheet.tone,
        "word": sheet.word,
        "under": list(sheet.under),
        "as_of": sheet.as_of.removeprefix("as of ") or None,
        "foot": sheet.foot,
        "blocks": [_block(block) for block in sheet.blocks],
    }
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def _block(block: facts.Block) -> dict[str, Any]:
    match block:
        case facts.Figures(rows):
            return {"type": "figures", "values": dict(rows)}
        case facts.Facts(title, rows):
            return {"type": "facts", "title": title, "values": dict(rows)}
        case facts.Note(text):
            return {"type": "note", "text": text}
        case facts.Lines(title, rows, heads):
            return {"type": "lines", "title": title, "heads": [head for head in heads if head], "rows": list(rows)}
        case facts.Steps(title, rows):
            steps = [{"text": words, "command": command or None} for words, command in rows]
            return {"type": "steps", "title": title, "steps": steps}
        case facts.Belief(title, verdict, rows, rests):
            root = None if rests is None else rests.root.hex()
            words = {} if verdict is None else dict(zip(("tone", "word", "sentence"), verdict, strict=True))
            return {"type": "belief", "title": title, **words, "values": dict(rows), "root": root}
        case facts.Charts(title, charts):
            drawn = [{"title": chart.title, "values": list(chart.values)} for chart in charts]
            return {"type": "charts", "title": title, "charts": drawn}
        case facts.Days(title, _, days):
            listed = {
                day.isoformat(): {"worst": str(worst), "runs": count} for day, (worst, count) in sorted(days.items())
            }
            return {"type": "days", "title": title, "days": listed}
        case facts.Listing(title, titles, listed_rows):
            names = [head.lstrip("#") for head in titles]
            return {
                "type": "listing",
                "title": title,
                "heads": names,
                "rows": [list(cells) for cells, _ in listed_rows],
            }
