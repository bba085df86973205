"""The names of what preparation leaves in a folder, for those who only look: nothing here needs the compiler."""

PREPARED = "prepared.json"
VOCABULARY = "vocabulary.arrow"
SHARDS = "shards"
COUNTING = "counting"
RECORD = "record.json"  # in shards/ and counting/, while they are being made

VOCABULARY_KEY = b"streamvec.vocabulary"  # of the schema's metadata in vocabulary.arrow
