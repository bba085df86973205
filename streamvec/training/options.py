"""Options that are not the model's: how text becomes words, and what one machine spends on the work."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from streamvec.corpus.phrases import SCORES, PhraseOptions
from streamvec.corpus.tokens import KINDS, Tokenizer
from streamvec.models.options import option
from streamvec.training.freememory import free_memory

_LONGEST = 65_536


@dataclass(frozen=True)
class TextOptions:
    """From text to shards; part of what decides the bytes of the result."""

    tokens: str = option("words", "What a token is.", choices=KINDS)
    token_pattern: str | None = option(None, "The regular expression of --tokens regex; each match is a token.")
    keep_case: bool = option(False, "Do not lower-case.")
    column: str | None = option(None, "The column of Parquet, Arrow or JSON Lines that holds the text.")
    encoding: str = option("utf-8", "Encoding of plain text.")
    min_count: int = option(5, "Leave out words that occur less often.")
    max_vocab: int | None = option(None, "Keep only so many of the most frequent words.")

    phrases: int = option(0, "Passes that join words which stand together unusually often: new_york; 0 for none.")
    phrase_score: str = option("word2vec", "What makes a phrase; npmi runs from -1 to 1.", choices=tuple(SCORES))
    phrase_threshold: float | None = option(None, "Score that phrases exceed; by default 10, or 0.5 with npmi.")
    phrase_min_count: int = option(5, "Occurrences that a phrase needs; the discount of the score word2vec.")

    def __post_init__(self) -> None:
        for name in ("min_count", "max_vocab"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        _ = self.tokenizer  # refuses a kind or a pattern that cannot be right
        _ = self.phrase_options  # the same
        for name, default in (("phrase_score", "word2vec"), ("phrase_threshold", None), ("phrase_min_count", 5)):
            if not self.phrases and getattr(self, name) != default:
                raise ValueError(
                    f"{name} says how phrases are found, and phrases is 0: ask for phrases=1, or leave it out"
                )
        try:
            "".encode(self.encoding)
        except LookupError:
            raise ValueError(f"encoding must be one that Python knows, got {self.encoding!r}") from None

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that these options name."""
        return Tokenizer(self.tokens, self.keep_case, self.token_pattern)

    @property
    def phrase_options(self) -> PhraseOptions:
        """How phrases are found, if they are."""
        return PhraseOptions(self.phrases, self.phrase_score, self.phrase_threshold, self.phrase_min_count)


@dataclass(frozen=True)
class LabelledOptions:
    """From files of labelled examples to ids; part of what decides the bytes of the result."""

    columns: str | None = option(
        None,
        "The two columns that are read, by number from 1 or by the name that a first line gives them: what is read, "
        "then what is to be told of it, like text,label.",
    )
    train_size: int | None = option(None, "Train on only so many of the examples, drawn by --seed.")
    max_length: int = option(1000, "Words of a sequence: longer ones are cut, and counted.")
    tokens: str = option("words", "What a token is.", choices=KINDS)
    token_pattern: str | None = option(None, "The regular expression of --tokens regex; each match is a token.")
    keep_case: bool = option(False, "Do not lower-case.")
    encoding: str = option("utf-8", "Encoding of the files.")
    min_count: int = option(2, "Words that occur less often are unknown, unless --vectors knows them.")
    max_vocab: int | None = option(None, "Know only so many of the most frequent words.")

    def __post_init__(self) -> None:
        for name in ("min_count", "max_vocab", "max_length", "train_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if self.max_length > _LONGEST:
            raise ValueError(f"max_length must be at most {_LONGEST}, got {self.max_length}")
        if len(self.column_names) not in (0, 2):
            raise ValueError(f"columns must be two, like text,label or 2,1, got {self.columns!r}")
        if self.column_names and len(set(self.column_names)) < 2:
            raise ValueError(f"columns must be two different ones, got {self.columns!r}")
        _ = self.tokenizer  # refuses a kind or a pattern that cannot be right
        try:
            "".encode(self.encoding)
        except LookupError:
            raise ValueError(f"encoding must be one that Python knows, got {self.encoding!r}") from None

    @property
    def column_names(self) -> list[str]:
        """Those of ``columns``, one by one; none where it is not given."""
        return [] if self.columns is None else [name.strip() for name in self.columns.split(",")]

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that these options name."""
        return Tokenizer(self.tokens, self.keep_case, self.token_pattern)


@dataclass(frozen=True)
class MachineOptions:
    """What one machine spends; nothing here changes a byte of the result."""

    threads: int = option(0, "Threads; 0 is all cores.")
    memory: int | None = option(None, "Most memory of the whole process, like 2GB; by default half of what is free.")
    checkpoint_seconds: float = option(180.0, "Seconds between checkpoints.")
    checkpoint_batches: int | None = option(None, "Steps (record batches) between checkpoints, besides the seconds.")

    def __post_init__(self) -> None:
        if self.threads < 0:
            raise ValueError(f"threads must be at least 0, got {self.threads}")
        for name in ("memory", "checkpoint_batches"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if not self.checkpoint_seconds > 0:
            raise ValueError(f"checkpoint_seconds must be above 0, got {self.checkpoint_seconds}")

    @property
    def cores(self) -> int:
        """The number of threads, resolved."""
        return self.threads or len(os.sched_getaffinity(0))

    @property
    def memory_bytes(self) -> int:
        """The ceiling in bytes, resolved: half of what is free, or 512 MB, or nearly all where there is less."""
        if self.memory:
            return self.memory
        free = free_memory()
        return max(free // 2, min(1 << 29, free // 16 * 15))


@dataclass(frozen=True)
class ClusterOptions(MachineOptions):
    """The same, and the machines that work besides."""

    cluster: str | None = option(
        None,
        "Work on the nodes of a Ray cluster: the address of its head, such as 10.0.0.1:6379, or auto for the cluster "
        "that this machine belongs to. --memory then holds for each process there, too; phrases are found here.",
    )
    shards: str | None = option(
        None, "Keep the shards there, not in RUN: a folder that all machines see, or s3://BUCKET/PREFIX."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cluster is not None and not self.cluster.strip():
            raise ValueError("cluster must be auto or the address of a Ray cluster's head, got an empty word")
        if self.shards is not None and not self.shards.strip():
            raise ValueError("shards must be a folder or s3://BUCKET/PREFIX, got an empty word")


def pick(kind: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of *options* that are fields of the dataclass *kind*."""
    return {f.name: options[f.name] for f in fields(kind) if f.name in options}
