"""What somebody asks of a training: inputs and options as they were given, which `train` and `plan` take alike."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from streamvec.models.kinds import CONFIGS
from streamvec.training.lmtext import with_tokens
from streamvec.training.options import ClusterOptions, TextOptions, pick
from streamvec.training.run import Run, is_prepared_folder
from streamvec.training.start import Start, choose


class Asked(NamedTuple):
    """The same, each option in its place and checked."""

    names: list[str]  # of the inputs
    start: Start | None
    config: Any  # of the class that CONFIGS names
    text: TextOptions
    machine: ClusterOptions

    @classmethod
    def of(
        cls,
        kind: str,
        inputs: str | Path | Sequence[str | Path],
        start_from: str | Path | None,
        vectors: str | Path | None,
        valid: str | Path | None,
        options: Mapping[str, Any],
    ) -> "Asked":
        """Sorts *options*, and adds those that follow from a start, from a RUN that is INPUT, or from the level.

        Raises ValueError for options that can never be right, StreamvecError where what is to be begun from, or such a
        RUN, cannot be read.
        """
        kinds = (CONFIGS[kind], TextOptions, ClusterOptions)
        unknown = set(options) - {name for each in kinds for name in pick(each, options)}
        if unknown:
            raise ValueError(f"options must be those of train {kind}, got {', '.join(sorted(unknown))}")
        start, options = choose(kind, start_from, vectors, options)
        names = [str(name) for name in ([inputs] if isinstance(inputs, str | Path) else inputs)]
        if kind == "lm":
            made = Run.open(names[0]).about if names and is_prepared_folder(names[0]) else None
            options = with_tokens(options, valid, vectors, made)
        picked = [pick(each, options) for each in kinds]
        config, text, machine = CONFIGS[kind](**picked[0]), TextOptions(**picked[1]), ClusterOptions(**picked[2])
        return cls(names, start, config, text, machine)
