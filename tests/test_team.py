"""Threads that keep in step: all meet at the barrier, and nobody waits for one that has failed or never came."""

import threading

import numpy as np
import pytest
from numba import njit

from streamvec.errors import StreamvecError
from streamvec.kernels.team import Team, wait_for_team
from streamvec.models.skipgram import SkipGram
from streamvec.models.wordconfig import SkipGramConfig


@njit(nogil=True)
def take_turns(found, thread, threads, barrier):
    """Each thread writes its place of a row and, when all have, copies the neighbour's into the next row."""
    for row in range(1, len(found)):
        found[row, thread] = found[row - 1, (thread + 1) % threads]
        wait_for_team(barrier, threads)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_nobody_runs_ahead(threads):
    team = Team(threads)
    found = np.zeros((2000, threads), np.int64)
    found[0] = np.arange(threads)
    team.run(lambda thread: take_turns(found, thread, threads, team.barrier))
    assert (found == (np.arange(threads) + np.arange(2000)[:, None]) % threads).all()
    team.close()


def test_a_thread_that_fails_ends_them_all_and_the_team_works_again():
    team = Team(3)
    found = np.zeros((1000, 3), np.int64)

    def work(thread):
        if thread == 1:
            raise MemoryError("no room")
        take_turns(found, thread, 3, team.barrier)

    with pytest.raises(MemoryError, match="no room"):
        team.run(work)
    test = np.zeros((1000, 3), np.int64)
    test[0] = np.arange(3)
    team.run(lambda thread: take_turns(test, thread, 3, team.barrier))
    assert (test[-1] == (np.arange(3) + 999) % 3).all()
    team.close()


def test_threads_that_cannot_be_had_are_an_error_and_not_a_wait(monkeypatch):
    started = []

    def start(self):
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(self)
        real(self)

    real = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(StreamvecError, match=r"8 threads cannot be had here.*fewer --threads"):
        SkipGram(SkipGramConfig(dim=8), np.array([5, 3]), steps=1, threads=8)
    for thread in started:
        thread.join(10)
