"""How a recurrent network learns: the options that language models and all tasks on labelled examples share."""

from dataclasses import dataclass

from streamvec.models.options import check, option

OPTIMIZERS = ("sgd", "momentum", "adagrad", "adam")
_RATES = {"sgd": 1.0, "momentum": 0.1, "adagrad": 0.02, "adam": 0.001}  # tried on SST-2: encoders mean and lstm


@dataclass(frozen=True)
class Learning:
    """Part of what decides a model's bytes. ValueError for what can never be right."""

    dropout: float = option(0.0, "Share of what goes into each layer, and into the output, that is left out.")
    optimizer: str = option("adam", "How weights follow gradients.", choices=OPTIMIZERS)
    learning_rate: float = option(
        0.0,
        "Learning rate; 0 suits --optimizer: 1 with sgd, 0.1 with momentum, 0.02 with adagrad, 0.001 with adam.",
    )
    momentum: float = option(0.9, "Share of its velocity that --optimizer momentum keeps.")
    decay: float = option(1.0, "The learning rate is multiplied by this after each epoch from --decay-after on.")
    decay_after: int = option(1, "Epochs before the learning rate falls.")
    clip: float = option(5.0, "Largest norm of the gradient of a batch; 0 never clips.")
    batch: int = option(32, "Examples that a step trains on.")
    epochs: int = option(10, "Passes over the training data.")
    patience: int = option(0, "Stop after so many epochs that are not better on --valid; 0 never stops early.")
    seed: int = option(1, "Seed of everything random.")

    def __post_init__(self) -> None:
        check(self, ("batch", "epochs"))
        if self.learning_rate == 0:
            object.__setattr__(self, "learning_rate", self.suited_rate())
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate must be above 0 and finite, got {self.learning_rate}")
        for name in ("dropout", "momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, got {getattr(self, name)}")
        if not 0 < self.decay <= 1:
            raise ValueError(f"decay must be above 0 and at most 1, got {self.decay}")
        for name in ("decay_after", "patience"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        if not 0 <= self.clip < float("inf"):
            raise ValueError(f"clip must be at least 0 and finite, got {self.clip}")

    def suited_rate(self) -> float:
        """The learning rate that suits the optimizer."""
        return _RATES[self.optimizer]
