"""Read YAML that strangers may have written: within limits, and without making objects of it.

`yaml.safe_load` makes only plain values, but a short text may stand for endless ones: each alias repeats its anchor's content
("billion laughs"), and a merge copies it. So the expanded size is counted before anything is made. Unknown tags (borgmatic's
`!include`, `!retain`, `!omit`) become their plain content; an `!include` is not followed.
"""

from collections.abc import Iterator
from typing import Any

import yaml

_MOST_NODES = 50_000
_MOST_DEPTH = 60


class OddYamlError(Exception):
    """A text that cannot be read; the words say why, and quote nothing of it: a word that breaks YAML may be a password."""


class _Loader(yaml.SafeLoader):
    """The safe loader, which takes unknown tags for plain content."""

    def flatten_mapping(self, node: Any) -> None:
        """Leave out a merge of something that is no mapping, such as `<<: !include common.yaml`."""
        node.value = [
            (key, value)
            for key, value in node.value
            if key.tag != "tag:yaml.org,2002:merge" or not isinstance(value, yaml.ScalarNode)
        ]
        super().flatten_mapping(node)


def _plain(loader: _Loader, _suffix: str, node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _plain)


def load(text: str) -> Any:
    """Return the content of the YAML *text*: mappings, lists and plain values.

    Raises:
        OddYamlError: It is no YAML, is too large once expanded, or nested too deeply.
    """
    try:
        if not _is_small(yaml.parse(text, Loader=yaml.SafeLoader)):
            raise OddYamlError("it is too large, or nested too deeply")
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - `_Loader` is a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise OddYamlError("it is no YAML" + (f" in line {mark.line + 1}" if mark is not None else "")) from error
    except (RecursionError, OverflowError, TypeError, ValueError) as error:
        raise OddYamlError("a value in it makes no sense") from error


def _is_small(events: Iterator[Any]) -> bool:
    """Whether the events stand for few nodes once each alias is expanded, and none too deep."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            total += sizes.get(event.anchor or "", _MOST_NODES)
        elif isinstance(event, yaml.NodeEvent):
            total += 1
            if isinstance(event, yaml.CollectionStartEvent):
                open_nodes.append((event.anchor, total))
            elif event.anchor is not None:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, began = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = total - began + 1
        if total > _MOST_NODES or len(open_nodes) > _MOST_DEPTH:
            return False
    return True
