"""Random pieces: fresh, of the right size, and never shared."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from scriba.domain.entropy import PIECE, random_piece


def test_pieces_are_never_given_out_twice() -> None:
    """Promise: threads that draw at once never get the same bytes, also across refills."""
    drawn: list[list[bytes]] = [[] for _ in range(4)]

    def draw(into: list[bytes]) -> None:
        into.extend(random_piece() for _ in range(2_000))

    threads = [threading.Thread(target=draw, args=(into,)) for into in drawn]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pieces = [piece for into in drawn for piece in into]
    assert len(set(pieces)) == len(pieces)
    assert {len(piece) for piece in pieces} == {PIECE}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_draws_its_own() -> None:
    """Promise: parent and child never share what was read before the fork."""
    random_piece()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"".join(random_piece() for _ in range(100)))
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    theirs = os.read(reader, 100 * PIECE)
    os.close(reader)
    ours = {random_piece() for _ in range(100)}
    assert not ours & {theirs[start : start + PIECE] for start in range(0, len(theirs), PIECE)}
