"""Ray clusters on this machine for benchmarks, and a text's shards."""

import contextlib
from collections.abc import Iterator

from benchmarks import corpora
from benchmarks.bench import Bench, Skip
from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.prepare import prepare
from streamvec.corpus.shards import Shards
from streamvec.corpus.sources import resolve
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary

_STORE = 256 << 20  # bytes of the object store of each node
_MEMORY = 1 << 30  # bytes


@contextlib.contextmanager
def nodes(number: int) -> Iterator[str]:
    """The address of a cluster of so many nodes of one processor, all on this machine."""
    try:
        from ray.cluster_utils import Cluster as Machines
    except ImportError:
        raise Skip("Ray is not installed: pip install 'streamvec[ray]'") from None
    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": _STORE}
    machines = Machines(initialize_head=True, head_node_args=head)
    try:
        for _ in range(number):
            machines.add_node(num_cpus=1, object_store_memory=_STORE)
        yield str(machines.address)
    finally:
        machines.shutdown()


def shards_of(bench: Bench) -> tuple[Vocabulary, Shards]:
    """The excerpt of Wikipedia in the folder of data, or with --quick some text that is made."""
    text = corpora.corpus(bench, corpora.WIKI) if bench.quick else bench.data(corpora.WIKI)
    bench.say("preparing")
    sources, folder = resolve([str(text)]), bench.work / "prepared"
    quiet = {"report": lambda now: None, "stop": lambda: False}
    return prepare(sources, folder, Tokenizer(), crews=ThreadCrews(2, _MEMORY), **quiet)  # type: ignore[arg-type]
