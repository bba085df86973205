"""PyTorch's part of the benchmark of language models; it runs in an environment of its own, without streamvec."""

import json
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import nn


class Network(nn.Module):
    """Vectors of words, lstm layers, and a softmax over every word or an adaptive one."""

    def __init__(self, s: dict[str, Any]) -> None:
        super().__init__()
        self.words = nn.Embedding(s["words"], s["hidden"])
        self.drop = nn.Dropout(s["dropout"])
        self.layers = nn.LSTM(s["hidden"], s["hidden"], s["layers"], dropout=s["dropout"] if s["layers"] > 1 else 0.0)
        if s["output"] == "adaptive":
            self.adaptive = nn.AdaptiveLogSoftmaxWithLoss(s["hidden"], s["words"], s["cutoffs"], head_bias=True)
        else:
            self.output = nn.Linear(s["hidden"], s["words"])
            self.loss = nn.CrossEntropyLoss()
            if s["tied"]:
                self.output.weight = self.words.weight

    def forward(self, inputs: Any, targets: Any, state: Any) -> Any:
        """(the mean loss, the state after)."""
        out, state = self.layers(self.drop(self.words(inputs)), state)
        out = self.drop(out).flatten(0, 1)
        if hasattr(self, "adaptive"):
            return self.adaptive(out, targets.flatten()).loss, state
        return self.loss(self.output(out), targets.flatten()), state


def train(s: dict[str, Any]) -> dict[str, Any]:
    """Seconds of s["steps"] steps behind some that warm up."""
    torch.set_num_threads(s["threads"])
    torch.manual_seed(1)
    network, tokens = Network(s), torch.from_numpy(np.load(s["tokens"]).astype(np.int64))
    optimizer: Any = torch.optim.SGD(network.parameters(), lr=1.0)
    if s["optimizer"] == "adam":
        optimizer = torch.optim.Adam(network.parameters(), lr=0.002)
    state, begin, loss, size = None, 0.0, None, s["bptt"]
    for step in range(s["warm"] + s["steps"]):
        if step == s["warm"]:
            begin = time.perf_counter()
        first = step * size
        optimizer.zero_grad()
        state = None if state is None else tuple(each.detach() for each in state)
        loss, state = network(tokens[first : first + size], tokens[first + 1 : first + size + 1], state)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
    seconds = time.perf_counter() - begin
    assert loss is not None
    return {"seconds": seconds, "loss": float(loss.detach()), "version": torch.__version__}


if __name__ == "__main__":
    print(json.dumps(train(json.loads(sys.argv[1]))))
