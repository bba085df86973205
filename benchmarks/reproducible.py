"""The same bytes from any number of threads, and from a run that is killed again and again and gone on with."""

import argparse
import random
import shutil
import signal
import subprocess
import time
from hashlib import md5
from pathlib import Path
from typing import Any

from benchmarks import corpora
from benchmarks.bench import Bench, benchmark, environment, show, streamvec_command

THREADS = (1, 2, 4)
_MARKS = ("run.json", "shards/index.json", "vectors.arrow")  # what appears as a run begins, is prepared, and ends


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--bytes", type=int, default=3_000_000, help="of the corpus")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of the moments")


def run(bench: Bench) -> dict[str, Any]:
    """Whole runs on each number of threads; runs killed once, at moments of all stages; one run killed many times."""
    args = bench.args
    if bench.quick:
        args.bytes, args.kills = 400_000, 1
    trials = _Trials(bench, corpora.corpus(bench, corpora.NOVELS, args.bytes), random.Random(args.seed))
    whole = {f"{threads} threads": trials.uninterrupted(threads) for threads in THREADS}
    expected = next(iter(whole.values()))
    once = [trials.killed_once(number) for number in range(args.kills)]
    again = trials.killed_again(args.kills)
    kills = [trial["kill"] for trial in once] + again["kills"]
    differing = [name for name, digest in whole.items() if digest != expected]
    differing += [str(trial["kill"]) for trial in once if trial["md5"] != expected]
    differing += ["killed again and again"] if again["md5"] != expected else []
    rows = [[name, digest] for name, digest in whole.items()]
    rows += [[f"killed: {trial['kill']['stage']}", trial["md5"]] for trial in once]
    rows.append([f"killed {len(again['kills'])} times", again["md5"]])
    show("md5 of vectors.arrow", ["", ""], rows)
    if differing:
        raise RuntimeError(f"other bytes: {'; '.join(differing)}")
    return {
        "corpus": {"file": "made up" if bench.quick else corpora.NOVELS, "bytes": args.bytes},
        "options": trials.options,
        "same": True,
        "md5": expected,
        "threads": list(THREADS),
        "kills_by_stage": {stage: sum(k["stage"] == stage for k in kills) for stage in {k["stage"] for k in kills}},
        "killed_once": once,
        "killed_again_and_again": again,
    }


class _Trials:
    """Runs of one training, watched through its folder."""

    def __init__(self, bench: Bench, text: Path, draw: random.Random) -> None:
        self.bench, self.text, self.draw = bench, text, draw
        self.options = ["--dim", "20" if bench.quick else "100", "--epochs", "2" if bench.quick else "8"]
        self.options += ["--checkpoint-batches", "2"]
        self.moments: dict[int, dict[str, float]] = {}  # by threads: seconds from the start to each of _MARKS

    def uninterrupted(self, threads: int) -> str:
        """The md5 of a run that nobody disturbs; it is also watched, so that kills can be aimed."""
        self.bench.say(f"{threads} threads")
        folder = self._folder()
        begin = time.perf_counter()
        process = self._start(folder, threads)
        moments = self.moments.setdefault(threads, {})
        for name in _MARKS:
            self._wait(process, folder / name)
            moments[name] = time.perf_counter() - begin
        self._end(process)
        return self._digest(folder)

    def killed_once(self, number: int) -> dict[str, Any]:
        """A run killed once: two in five while it prepares, the others while it trains; then resumed to its end."""
        self.bench.say(f"killed once, {number + 1}")
        folder, threads = self._folder(), self.draw.choice(THREADS)
        begin, end = _MARKS[:2] if number % 5 < 2 else _MARKS[1:]
        span = self.moments[threads][end] - self.moments[threads][begin]
        process = self._start(folder, threads)
        self._wait(process, folder / begin)
        kill = self._kill(process, folder, self.draw.uniform(0, span), threads)
        after = self.draw.choice(THREADS)
        self._end(self._start(folder, after))
        return {"kill": kill, "resumed_with_threads": after, "md5": self._digest(folder)}

    def killed_again(self, kills: int) -> dict[str, Any]:
        """One run killed until it has been *kills* times, or has ended in spite of it."""
        folder, done = self._folder(), []
        for number in range(kills):
            self.bench.say(f"one run, kill {number + 1}")
            threads = self.draw.choice(THREADS)
            begun, _, ended = self.moments[threads].values()
            delay = self.draw.uniform(0.5 * begun, begun + (ended - begun) / 3)
            done.append(self._kill(self._start(folder, threads), folder, delay, threads))
        self._end(self._start(folder, self.draw.choice(THREADS)))
        return {"kills": done, "md5": self._digest(folder)}

    def _folder(self) -> Path:
        folder = self.bench.work / "trial"
        if folder.exists():
            shutil.rmtree(folder)
        return folder

    def _start(self, folder: Path, threads: int) -> subprocess.Popen[str]:
        """Trains, or goes on where there is a RUN to go on with."""
        if (folder / "run.json").exists():
            command = ["resume", str(folder), "--checkpoint-batches", "2"]
        else:
            command = ["train", "skipgram", str(self.text), "--out", str(folder), "--overwrite", *self.options]
        command += ["--threads", str(threads)]
        piped = subprocess.PIPE
        return subprocess.Popen(
            [streamvec_command(), *command], env=environment(), stdout=piped, stderr=piped, text=True
        )

    @staticmethod
    def _wait(process: subprocess.Popen[str], path: Path) -> None:
        while not path.exists() and process.poll() is None:
            time.sleep(0.001)

    def _kill(self, process: subprocess.Popen[str], folder: Path, delay: float, threads: int) -> dict[str, Any]:
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        _, said = process.communicate()
        if process.returncode not in (0, -signal.SIGKILL):
            raise RuntimeError(f"a run ended with status {process.returncode}: {said}")
        checkpoints = sorted(path.name for path in (folder / "checkpoints").glob("*"))
        return {
            "stage": _stage(folder, process.returncode == 0),
            "after_seconds": round(delay, 4),
            "threads": threads,
            "checkpoints": checkpoints,
        }

    @staticmethod
    def _end(process: subprocess.Popen[str]) -> None:
        _, said = process.communicate()
        if process.returncode:
            raise RuntimeError(f"a run ended with status {process.returncode}: {said}")

    @staticmethod
    def _digest(folder: Path) -> str:
        return md5((folder / "vectors.arrow").read_bytes()).hexdigest()


def _stage(folder: Path, ended: bool) -> str:
    if ended or (folder / "vectors.arrow").exists():
        return "had ended"
    if (folder / "shards" / "index.json").exists():
        return "training"
    if (folder / "vocabulary.arrow").exists():
        return "writing shards"
    return "counting" if (folder / "run.json").exists() else "before run.json"


if __name__ == "__main__":
    benchmark("reproducible", __doc__, run, options)
