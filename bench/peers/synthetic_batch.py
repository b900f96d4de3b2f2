"""One batch of SynthSAEBench-16k's activations in eager PyTorch on the CPU, dense as SAELens does it: a peer of our sampler.

The same law as src/kernels/synthetic-kernels.ts with torch's random numbers: a Gaussian copula with a rank-25 factor over all 16,384 features,
magnitudes for all, then level by level children gated by their parents, one of the active siblings kept at random, magnitudes scaled by the
parents', and one dense product with the directions. Prints one line of JSON: the milliseconds of the fastest batch after a warm-up.
"""

import argparse
import json
import time

import torch

G, D, RANK, ROOTS, BRANCHING, DEPTH = 16384, 768, 25, 128, 4, 3


def levels():
    """(first parent, end of parents, first child) of each level below the roots"""
    start, end = 0, ROOTS
    for _ in range(DEPTH):
        yield start, end, end
        start, end = end, end + (end - start) * BRANCHING


def make_world():
    rank = torch.arange(1, G + 1, dtype=torch.float64) ** -0.5
    asked = 5e-4 + (0.4 - 5e-4) * (rank - rank[-1]) / (1 - rank[-1])
    drawn = asked.clone()
    for start, end, child in levels():
        children = asked[child : child + (end - start) * BRANCHING].view(-1, BRANCHING)
        parent = asked[start:end, None]
        rivals = children.sum(1, keepdim=True) - children
        drawn[child : child + children.numel()] = (children / parent * (1 + rivals / parent)).clamp(max=1).view(-1)
    loadings = torch.randn(G, RANK) * 0.1
    own = (1 - loadings.square().sum(1)).sqrt()
    return {
        "threshold": torch.special.ndtri(1 - drawn).float(),
        "loadings": loadings,
        "own": own,
        "mean": torch.linspace(5, 4, G),
        "std": (0.5 + 0.5 * torch.randn(G)).abs(),
        "directions": torch.nn.functional.normalize(torch.randn(G, D), dim=1),
        "bias": torch.nn.functional.normalize(torch.randn(D), dim=0) / 2,
    }


def sample(w, b):
    z = torch.addcmul(torch.randn(b, RANK) @ w["loadings"].T, torch.randn(b, G), w["own"])
    values = (w["mean"] + w["std"] * torch.randn(b, G)).relu_().mul_(z > w["threshold"])
    for start, end, child in levels():
        siblings = values[:, child : child + (end - start) * BRANCHING].view(b, -1, BRANCHING)
        keys = torch.rand_like(siblings).mul_(siblings > 0)
        siblings.mul_(keys == keys.amax(2, keepdim=True))
        siblings.mul_((values[:, start:end] / w["mean"][start:end])[..., None])
    return torch.addmm(w["bias"], values, w["directions"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, default in (("b", 1024), ("threads", 2), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    world = make_world()
    times = []
    for _ in range(a.rounds + 1):
        began = time.perf_counter()
        sample(world, a.b)
        times.append(time.perf_counter() - began)
    print(json.dumps({"ms": round(1000 * min(times[1:]), 3), "torch": torch.__version__, "threads": a.threads}))


main()
