"""Texts that a careless query would stumble over, and the plain meaning of a wildcard."""

from __future__ import annotations

import re

from hypothesis import strategies as st

__all__ = ["HOSTILE", "matches_wildcards"]

HOSTILE = st.text(
    st.sampled_from(list("*%_?[]^!\\'\":;%-aAbBéÉß. ")) | st.characters(exclude_categories=["Cc", "Cs"]), max_size=12
)
"""Text with what LIKE, GLOB, SQL and drivers take for their own, letters in both cases, and anything else."""


def matches_wildcards(text: str, wanted: str) -> bool:
    """Whether a text matches, where `*` stands for any run of characters and everything else for itself."""
    return re.fullmatch(".*".join(map(re.escape, wanted.split("*"))), text, re.DOTALL) is not None
