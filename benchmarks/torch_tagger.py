"""PyTorch's part of the benchmark of taggers; it runs in an environment of its own, without streamvec."""

import json
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Tagger(nn.Module):
    """Vectors of words and an lstm over each different spelling, an lstm both ways, a softmax or a random field."""

    def __init__(self, s: dict[str, Any]) -> None:
        super().__init__()
        self.words, self.letters = nn.Embedding(s["words"], s["dim"]), nn.Embedding(256, s["char_dim"])
        self.spelling = nn.LSTM(s["char_dim"], s["char_hidden"], bidirectional=True)
        self.layers = nn.LSTM(s["dim"] + 2 * s["char_hidden"], s["hidden"], s["layers"], bidirectional=True)
        self.drop, self.output = nn.Dropout(s["dropout"]), nn.Linear(2 * s["hidden"], s["tags"])
        self.is_crf = s["output"] == "crf"
        self.transitions = nn.Parameter(torch.zeros(s["tags"], s["tags"]))
        self.first, self.last = nn.Parameter(torch.zeros(s["tags"])), nn.Parameter(torch.zeros(s["tags"]))

    def forward(self, batch: dict[str, Any]) -> Any:
        """The loss, a mean over the sentences."""
        told = pack_padded_sequence(self.letters(batch["letters"]), batch["spelled"], enforce_sorted=False)
        _, (ends, _) = self.spelling(told)
        features = torch.cat([ends[0], ends[1]], dim=1)[batch["which"]]
        x = self.drop(torch.cat([self.words(batch["ids"]), features], dim=2))
        packed, _ = self.layers(pack_padded_sequence(x, batch["lengths"], enforce_sorted=False))
        out, _ = pad_packed_sequence(packed)
        scores = self.output(self.drop(out))
        loss = self.crf(scores, batch) if self.is_crf else self.softmax(scores, batch)
        return loss / len(batch["lengths"])

    @staticmethod
    def softmax(scores: Any, batch: dict[str, Any]) -> Any:
        """The sum over all words."""
        return nn.functional.cross_entropy(scores[batch["inside"]], batch["tags"][batch["inside"]], reduction="sum")

    def crf(self, scores: Any, batch: dict[str, Any]) -> Any:
        """Of the whole sequences of tags, by the forward algorithm."""
        tags, inside = batch["tags"], batch["inside"]
        steps, lanes, _ = scores.shape
        lane, ends = torch.arange(lanes), batch["lengths"] - 1
        forward = self.first + scores[0]
        gold = self.first[tags[0]] + scores[0, lane, tags[0]]
        for step in range(1, steps):
            on = inside[step]
            more = torch.logsumexp(forward[:, :, None] + self.transitions, dim=1) + scores[step]
            forward = torch.where(on[:, None], more, forward)
            here = self.transitions[tags[step - 1], tags[step]] + scores[step, lane, tags[step]]
            gold = gold + torch.where(on, here, torch.zeros_like(here))
        gold = gold + self.last[tags[ends, lane]]
        return (torch.logsumexp(forward + self.last, dim=1) - gold).sum()


def train(s: dict[str, Any]) -> dict[str, Any]:
    """Seconds of the batches behind those that warm up."""
    torch.set_num_threads(s["threads"])
    torch.manual_seed(1)
    stored = np.load(s["batches"])
    names = ("ids", "tags", "lengths", "which", "letters", "spelled")
    batches = [
        {name: torch.from_numpy(stored[f"{number}.{name}"].astype(np.int64)) for name in names}
        for number in range(s["steps"])
    ]
    for batch in batches:
        batch["inside"] = torch.arange(len(batch["ids"]))[:, None] < batch["lengths"]
    network = Tagger(s)
    optimizer, begin, loss = torch.optim.Adam(network.parameters(), lr=0.002), 0.0, None
    for number, batch in enumerate(batches):
        if number == s["warm"]:
            begin = time.perf_counter()
        optimizer.zero_grad()
        loss = network(batch)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
    seconds = time.perf_counter() - begin
    assert loss is not None
    return {"seconds": seconds, "loss": float(loss.detach()), "version": torch.__version__}


if __name__ == "__main__":
    print(json.dumps(train(json.loads(sys.argv[1]))))
