"""Every way in which a command can end, for the tests that make up output."""

from hypothesis import strategies as st

from tray.engines.base import Exit

_ENDS = st.just((None, None)) | st.tuples(st.integers(0, 255), st.none()) | st.tuples(st.none(), st.integers(1, 64))
exits = st.builds(lambda end, asked: Exit(*end, asked), _ENDS, st.booleans())
"""Unseen, with a code, or by a signal (never both); asked for or not."""
