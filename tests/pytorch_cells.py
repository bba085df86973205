"""What PyTorch's recurrent layers answer, as tests/data/pytorch_cells.npz holds it: made by PyTorch 2.14.1 with

    python tests/pytorch_cells.py

in an environment that has torch and numpy. It computes in float64, and the answers are kept in float32. Of each layer:
its parameters by PyTorch's names, inputs x, states before the first step, the outputs and last states of sequences of
different lengths, and the gradients of the sum of outputs times *weights*, called d NAME.
"""

from pathlib import Path

import numpy as np

PATH = Path(__file__).parent / "data" / "pytorch_cells.npz"
LENGTHS, INPUTS, HIDDEN = (5, 3, 1), 2, 3
CELLS = {"rnn": "tanh", "rnn-relu": "relu", "gru": None, "lstm": None}
SHAPES = {"one": (1, False), "deep": (2, False), "both": (1, True), "deep-both": (2, True)}  # layers, both directions


def answers(cell: str, layers: int, both: bool) -> dict[str, np.ndarray]:
    """All of one stack, by name."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    kind = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}.get(cell, torch.nn.RNN)
    more = {"nonlinearity": CELLS[cell]} if CELLS[cell] else {}
    network = kind(INPUTS, HIDDEN, layers, bidirectional=both, dtype=torch.float64, **more)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0, 0.7)
    directions = 2 if both else 1
    x = torch.randn(max(LENGTHS), len(LENGTHS), INPUTS, dtype=torch.float64, requires_grad=True)
    names = ["h", "c"] if cell == "lstm" else ["h"]
    sizes = layers * directions, len(LENGTHS), HIDDEN
    before = [torch.randn(sizes, dtype=torch.float64, requires_grad=True) for _ in names]
    packed = pack_padded_sequence(x, LENGTHS)
    given, after = network(packed, tuple(before) if cell == "lstm" else before[0])
    outputs, _ = pad_packed_sequence(given)  # zero behind each sequence's end
    weights = torch.randn(outputs.shape, dtype=torch.float64) * (outputs != 0).any(dim=2, keepdim=True)
    (outputs * weights).sum().backward()
    states = after if cell == "lstm" else [after]
    found = {"x": x, "outputs": outputs, "weights": weights, "d x": x.grad}
    for name, first, last in zip(names, before, states, strict=True):
        found |= {f"{name} before": first, f"{name} after": last, f"d {name} before": first.grad}
    for name, parameter in network.named_parameters():
        found |= {name: parameter, f"d {name}": parameter.grad}
    return {name: tensor.detach().numpy().astype(np.float32) for name, tensor in found.items()}


def make() -> None:
    """Writes the file."""
    import torch

    torch.manual_seed(1)
    found = {}
    for cell in CELLS:
        for shape, (layers, both) in SHAPES.items():
            found |= {f"{cell}/{shape}/{name}": array for name, array in answers(cell, layers, both).items()}
    np.savez_compressed(PATH, **found)


if __name__ == "__main__":
    make()
