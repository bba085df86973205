"""The names of what preparation leaves in a folder, for those who only look: nothing here needs the compiler."""

PREPARED = "prepared.json"
VOCABULARY = "vocabulary.arrow"
SHARDS = "shards"
COUNTING = "counting"
PHRASES = "phrases"  # while phrases are found
WORDS, IDS, PAIRS = "words.arrow", "ids", "pairs"  # in it
COOCCURRENCES = "cooccurrences"
RUNS = "runs"  # in it, while pairs are counted
RECORD = "record.json"  # in these folders, and in shards/, while they are being made

VOCABULARY_KEY = b"streamvec.vocabulary"  # of the schema's metadata in vocabulary.arrow


def joins_name(number: int | str) -> str:
    """The file of the phrases that pass *number*, from 1, found; "*" is any pass."""
    return f"joins-{number}.arrow"
