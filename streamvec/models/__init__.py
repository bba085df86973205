"""Floor 2: models: a frozen configuration, a dict of named arrays, ``step(batch, position) -> StepResult``."""
