"""The peer of bench/transformer.ts: the same model and training step in eager PyTorch on the CPU.

Started by bench/transformer.ts, which writes one JSON line of sizes to stdin and then one line per round: the
number of steps to time. Each round is answered with its seconds. Tokens are random; both sides get equally many of them.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


class Attention(nn.Module):
    def __init__(self, d, heads, fused):
        super().__init__()
        self.heads, self.fused = heads, fused
        self.qkv = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)

    def forward(self, x, mask):
        B, T, D = x.shape
        q, k, v = (t.view(B, T, self.heads, -1).transpose(1, 2) for t in self.qkv(x).split(D, dim=2))
        if self.fused:
            z = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        else:
            scores = (q @ k.transpose(-1, -2)) * (D // self.heads) ** -0.5
            z = scores.masked_fill(~mask, float("-inf")).softmax(-1) @ v
        return self.out(z.transpose(1, 2).reshape(B, T, D))


class Block(nn.Module):
    def __init__(self, d, heads, mlp, fused):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attention = Attention(d, heads, fused)
        self.mlp = nn.Sequential(nn.Linear(d, mlp), nn.GELU(approximate="tanh"), nn.Linear(mlp, d))

    def forward(self, x, mask):
        x = x + self.attention(self.ln1(x), mask)
        return x + self.mlp(self.ln2(x))


class Model(nn.Module):
    def __init__(self, c, fused):
        super().__init__()
        d = c["dModel"]
        self.embed = nn.Embedding(c["vocabularySize"], d)
        self.position = nn.Parameter(torch.randn(c["context"], d) * 0.02)
        self.blocks = nn.ModuleList(Block(d, c["heads"], c["dMlp"], fused) for _ in range(c["layers"]))
        self.ln = nn.LayerNorm(d)
        self.unembed = nn.Linear(d, c["vocabularySize"], bias=False)

    def forward(self, tokens, mask):
        x = self.embed(tokens) + self.position
        for block in self.blocks:
            x = block(x, mask)
        return self.unembed(self.ln(x))


def make_stepper(c, fused):
    torch.manual_seed(0)
    model = Model(c, fused)
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98))
    B, T, V = c["batchSize"], c["context"], c["vocabularySize"]
    tokens, targets = torch.randint(V, (B, T)), torch.randint(V, (B, T))
    # Every window holds one document, so the mask is the plain causal one and is made once.
    mask = torch.ones(T, T, dtype=torch.bool).tril()[None, None]

    def step():
        logits = model(tokens, mask)
        loss = F.cross_entropy(logits.view(-1, V), targets.view(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


def seconds(step, count):
    began = time.perf_counter()
    for _ in range(count):
        step()
    return time.perf_counter() - began


def fastest(steppers):
    """The quicker of the ways to write attention, after a warm-up step each."""
    for step in steppers.values():
        step()
    return min(steppers, key=lambda name: seconds(steppers[name], 2))


def main():
    config = json.loads(sys.stdin.readline())
    torch.set_num_threads(config["threads"])
    steppers = {"matmuls": make_stepper(config, False)}
    if hasattr(F, "scaled_dot_product_attention"):
        steppers["scaled_dot_product_attention"] = make_stepper(config, True)
    best = fastest(steppers)
    about = {"version": torch.__version__, "attention": best, "threads": torch.get_num_threads()}
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        print(json.dumps(seconds(steppers[best], int(line))), flush=True)


main()
