"""Everything that is cut, dropped or replaced on the way from text to shards is counted, in one record."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass
class Counts:
    """What happened to a corpus; every field adds up over blocks."""

    bytes_read: int = 0  # of plain text, decompressed
    documents: int = 0  # lines of text, rows of a table, articles: empty ones included
    empty_documents: int = 0  # without a single token
    tokens: int = 0  # all but the dropped_long ones
    dropped_long: int = 0  # tokens of more than 1,000 bytes
    joined_tokens: int = 0  # tokens that became one with the one before, in a phrase
    dropped_rare: int = 0  # tokens, phrases among them, whose word is not in the vocabulary
    replaced_bytes: int = 0  # bytes that were not UTF-8; each piece became U+FFFD
    documents_dropped: int = 0  # with tokens, but none of them in the vocabulary
    documents_split: int = 0  # of more than 65,536 tokens, divided into pieces of that size
    repeated_documents: int = 0  # of at least 10 tokens, equal to an earlier one; kept, see corpus/repeats.py
    repeats_sampled: int = 1  # 1: repeated_documents is exact; n: estimated from one in n of the documents

    def to_json(self) -> dict[str, int]:
        """The counts as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """The counts that `to_json` gave."""
        return cls(**{field.name: int(content.get(field.name, field.default)) for field in fields(cls)})
