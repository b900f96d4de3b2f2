"""Golden numbers for test/sae/architectures-golden.test.ts: the autoencoders of docs/architectures.md in dense PyTorch.

Run from the repository root:  python scripts/golden/sae_golden.py [DIRECTORY]
Needs torch and safetensors. Writes into test/golden/sae/architectures:
  data.safetensors    x [5, N, D] and a transcoder's target y [5, N, Dout]: batches used in turn
  cases.json          per case SaeStepOptions as in src/kernels/sae-kernels.ts; `learningRates` and `coefficients`
                      replace `adam.learningRate` and `sparsity.coefficient`, step by step, where they change
  <case>.safetensors  start.* and final.* parameters, final.tokensSinceFired, and each step's stats.* [STEPS]

Gradients are autograd's, the update is torch.optim.Adam's. Starts are searched for until rounding changes nothing
that matters: training in float64, and from a start a few units in the last place away, must end in the same place.
"""

import itertools
import json
import math
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

N, D, D_OUT, F, STEPS, BATCHES = 64, 24, 20, 96, 50, 5
# What the trainings of a case may differ by, in weights and relatively in statistics; the test allows ten times that.
STABLE = 1e-5


# ---- cases: SaeStepOptions ----


def options(activation, sparsity=None, subtract=False, unit=True, learning_rate=3e-3, **others):
    adam = dict(learningRate=learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8, weightDecay=0, step=1)
    form = dict(activation=activation, subtractDecoderBias=subtract)
    return dict(form=form, sparsity=sparsity or dict(kind="none"), adam=adam, unitNormDecoder=unit, **others)


def case(step_options, **others):
    return dict(options=step_options, **others)


def warm_up(value, steps):
    return [value * min(1, (i + 1) / steps) for i in range(STEPS)]


def decay_at_end(value, steps):
    return [value * min(1, (STEPS - i) / steps) for i in range(STEPS)]


AUX = dict(k=3, coefficient=1 / 32, deadAfterTokens=3 * N)
CASES = {
    "relu": case(options(dict(kind="relu"), dict(kind="l1", coefficient=0.3, byDecoderNorm=False), subtract=True)),
    "relu-norm": case(
        options(dict(kind="relu"), dict(kind="l1", coefficient=1.0, byDecoderNorm=True), unit=False, gradientClip=8),
        coefficients=warm_up(1.0, 10),
        learningRates=decay_at_end(3e-3, 10),
    ),
    "gated": case(options(dict(kind="gated"), dict(kind="l1", coefficient=0.3, byDecoderNorm=False), subtract=True)),
    "jumprelu": case(
        options(dict(kind="jumprelu"), dict(kind="l0", coefficient=0.1, bandwidth=0.5)),
        coefficients=[0.0] * 10 + [0.1] * (STEPS - 10),
    ),
    "jumprelu-tanh": case(
        options(
            dict(kind="jumprelu", logThreshold=True),
            dict(kind="tanh", coefficient=0.5, scale=4, bandwidth=2, preAct=0.02),
            unit=False,
            gradientClip=8,
        )
    ),
    "topk": case(options(dict(kind="topk", k=8), subtract=True, auxK=AUX)),
    "batchtopk": case(options(dict(kind="batchtopk", k=8), subtract=True, auxK=AUX)),
    "matryoshka": case(options(dict(kind="batchtopk", k=8), subtract=True, auxK=AUX, prefixes=[12, 24, 48, 96])),
    "transcoder-relu": case(
        options(dict(kind="relu"), dict(kind="l1", coefficient=0.3, byDecoderNorm=False)), transcoder=True
    ),
    "transcoder-topk-skip": case(options(dict(kind="topk", k=8), auxK=AUX), transcoder=True, skip=True),
}


# ---- data and start values ----


def unit_rows(t):
    return t / t.norm(dim=1, keepdim=True)


def make_data():
    """Sparse combinations of a dictionary of 2 D directions around a mean, plus noise, scaled as before training."""
    g = torch.Generator().manual_seed(0)
    rows, words = BATCHES * N, 2 * D
    codes = (torch.rand(rows, words, generator=g) < 0.1) * (0.5 + torch.rand(rows, words, generator=g))
    x = codes @ unit_rows(torch.randn(words, D, generator=g)) + 0.3 * torch.randn(D, generator=g)
    y = codes @ unit_rows(torch.randn(words, D_OUT, generator=g)) + 0.1 * x @ torch.randn(D, D_OUT, generator=g)
    x, y = (t + 0.05 * torch.randn(t.shape, generator=g) for t in (x, y))
    x, y = (t * math.sqrt(t.shape[1]) / t.norm(dim=1).mean() for t in (x, y))
    return dict(x=x.view(BATCHES, N, D), y=y.view(BATCHES, N, D_OUT))


def make_start(c, seed):
    """Every parameter random, so that each one's gradient is tested; about a tenth of the features are active."""
    g = torch.Generator().manual_seed(seed)
    normal = lambda *shape: torch.randn(*shape, generator=g)
    activation, d_out = c["options"]["form"]["activation"], D_OUT if c.get("transcoder") else D
    w_dec = unit_rows(normal(F, d_out))
    w_enc = unit_rows(normal(F, D) if d_out != D else w_dec + 0.1 * normal(F, D))
    start = dict(wEnc=w_enc, bEnc=0.1 * normal(F), wDec=w_dec, bDec=0.3 * normal(d_out))
    if activation["kind"] in ("relu", "gated"):
        start["bEnc"] -= 1.2
    if activation["kind"] in ("topk", "batchtopk"):
        start["bEnc"][::4] -= 2  # these die, and AuxK has something to do
    if not c["options"]["unitNormDecoder"]:
        start["wDec"] *= 0.5 + torch.rand(F, 1, generator=g)
    if activation["kind"] == "jumprelu":
        start["wEnc"] *= 0.6
        theta = 0.4 + torch.rand(F, generator=g)
        theta[::8] = 0.003  # some of these meet the bound at 0 before there is a penalty
        start["threshold"] = theta.log() if activation.get("logThreshold") else theta
    if activation["kind"] == "gated":
        start |= dict(rMag=0.2 * normal(F), bMag=0.2 * normal(F))
    if c.get("skip"):
        start["wSkip"] = 0.1 * normal(D, d_out)
    return start


# ---- forward ----


def is_near(pre, theta, bandwidth):
    return (pre - theta).abs() < bandwidth / 2


class JumpRelu(torch.autograd.Function):
    """pre H(pre - theta), with the rectangle kernel for theta"""

    @staticmethod
    def forward(ctx, pre, theta, bandwidth):
        ctx.save_for_backward(pre, theta)
        ctx.bandwidth = bandwidth
        return pre * (pre > theta)

    @staticmethod
    def backward(ctx, df):
        pre, theta = ctx.saved_tensors
        d_theta = -(theta / ctx.bandwidth) * is_near(pre, theta, ctx.bandwidth) * df
        return df * (pre > theta), d_theta.sum(0), None


class Step(torch.autograd.Function):
    """H(pre - theta), with the rectangle kernel for theta; nothing reaches pre"""

    @staticmethod
    def forward(ctx, pre, theta, bandwidth):
        ctx.save_for_backward(pre, theta)
        ctx.bandwidth = bandwidth
        return (pre > theta).to(pre.dtype)

    @staticmethod
    def backward(ctx, dh):
        pre, theta = ctx.saved_tensors
        return None, -(is_near(pre, theta, ctx.bandwidth) * dh / ctx.bandwidth).sum(0), None


def keep_largest(t, k):
    """t where it is among the k largest of its row and positive, else 0"""
    mask = torch.zeros_like(t).scatter(-1, t.topk(k, dim=-1).indices, 1.0)
    return mask * t.relu()


def theta_of(p, activation):
    return p["threshold"].exp() if activation.get("logThreshold") else p["threshold"]


def activate(p, pre, o):
    """pre [N, F] -> f [N, F]"""
    activation = o["form"]["activation"]
    kind = activation["kind"]
    if kind == "relu":
        return pre.relu()
    if kind == "jumprelu":
        return JumpRelu.apply(pre, theta_of(p, activation), o["sparsity"]["bandwidth"])
    if kind == "gated":
        u = pre - p["bEnc"]
        return (pre > 0) * (p["rMag"].exp() * u + p["bMag"]).relu()
    if kind == "topk":
        return keep_largest(pre, activation["k"])
    return keep_largest(pre.flatten(), activation["k"] * pre.shape[0]).view_as(pre)


def penalties(p, pre, f, o):
    """(sparsity, preActLoss) before their coefficients, means over tokens"""
    s, activation = o["sparsity"], o["form"]["activation"]
    zero, norms = pre.new_zeros(()), p["wDec"].norm(dim=1)
    if s["kind"] == "l1":
        sparse = pre.relu() if activation["kind"] == "gated" else f
        return (sparse * norms if s["byDecoderNorm"] else sparse).sum(1).mean(), zero
    if s["kind"] == "l0":
        return Step.apply(pre, theta_of(p, activation), s["bandwidth"]).sum(1).mean(), zero
    if s["kind"] == "tanh":
        below = (theta_of(p, activation) - pre).relu() * norms
        return (s["scale"] * f * norms).tanh().sum(1).mean(), below.sum(1).mean()
    return zero, zero


def aux_loss(p, x, pre, f, residual, dead, o):
    """AuxK among the features `dead` [F], or how badly the gate of `gated` reconstructs"""
    if o["form"]["activation"]["kind"] == "gated":
        x_gate = pre.relu() @ p["wDec"].detach() + p["bDec"].detach()
        return (x - x_gate).square().sum(1).mean()
    if "auxK" not in o or not dead.any():
        return pre.new_zeros(())
    among_dead = keep_largest(pre.masked_fill(~dead, -math.inf), min(o["auxK"]["k"], int(dead.sum())))
    among_dead = among_dead.where(dead, torch.zeros_like(pre))
    r = residual.detach()
    return (r - among_dead @ p["wDec"]).square().sum() / (r - r.mean(0)).square().sum()


def losses(p, x, y, dead, o):
    """The loss to differentiate, the activations f [N, F] and the statistics of SaeStepStats."""
    s, centre = o["sparsity"], p["bDec"] if o["form"]["subtractDecoderBias"] else 0
    pre = (x - centre) @ p["wEnc"].T + p["bEnc"]
    f = activate(p, pre, o)
    base = p["bDec"] + (x @ p["wSkip"] if "wSkip" in p else 0)
    residuals = [y - base - f[:, :end] @ p["wDec"][:end] for end in o.get("prefixes", [F])]
    errors = [r.square().sum(1).mean() for r in residuals]
    sparsity, pre_act = penalties(p, pre, f, o)
    aux = aux_loss(p, x, pre, f, residuals[-1], dead, o)
    weight = o["auxK"]["coefficient"] if "auxK" in o else 1
    loss = sum(errors) + s.get("coefficient", 0) * sparsity + s.get("preAct", 0) * pre_act + weight * aux
    active = f > 0
    stats = dict(loss=loss, squaredError=errors[-1], prefixError=sum(errors))
    stats |= dict(sparsity=sparsity, auxLoss=aux, preActLoss=pre_act)
    stats |= dict(l0=active.sum(1).to(x.dtype).mean(), maxDensity=active.to(x.dtype).mean(0).max(), dead=dead.sum())
    return loss, f, {name: float(value.detach()) for name, value in stats.items()}


# ---- training ----


def clip(p, largest):
    """Scales all gradients; returns their norm before."""
    norm = torch.sqrt(sum(t.grad.square().sum() for t in p.values()))
    for t in p.values():
        t.grad *= (largest / norm).clamp(max=1)
    return float(norm)


@torch.no_grad()
def update(p, optimizer, o):
    """Adam with the constraints of the decoder and of theta; returns the norm of the gradient, 0 without clipping."""
    if o["unitNormDecoder"]:
        grad, w = p["wDec"].grad, p["wDec"]
        grad -= (grad * w).sum(1, keepdim=True) * w
    norm = clip(p, o["gradientClip"]) if "gradientClip" in o else 0
    optimizer.step()
    if o["unitNormDecoder"]:
        p["wDec"].copy_(unit_rows(p["wDec"]))
    activation = o["form"]["activation"]
    if activation["kind"] == "jumprelu" and not activation.get("logThreshold"):
        p["threshold"].clamp_(min=0)
    return norm


def options_at(c, i):
    """The options of step i, 0-based."""
    o = dict(c["options"])
    rate = c["learningRates"][i] if "learningRates" in c else o["adam"]["learningRate"]
    o["adam"] = o["adam"] | dict(learningRate=rate, step=i + 1)
    if "coefficients" in c:
        o["sparsity"] = o["sparsity"] | dict(coefficient=c["coefficients"][i])
    return o


def train(c, start, data, dtype):
    """Returns the final parameters, tokensSinceFired and a list of statistics for every name."""
    p = {name: t.to(dtype, copy=True).requires_grad_() for name, t in start.items()}
    adam = c["options"]["adam"]
    optimizer = torch.optim.Adam(p.values(), betas=(adam["beta1"], adam["beta2"]), eps=adam["epsilon"])
    since_fired, history, threshold = torch.zeros(F, dtype=torch.int32), [], None
    for i in range(STEPS):
        o = options_at(c, i)
        x = data["x"][i % BATCHES].to(dtype)
        y = data["y"][i % BATCHES].to(dtype) if c.get("transcoder") else x
        dead = since_fired >= o.get("auxK", {}).get("deadAfterTokens", math.inf)
        loss, f, stats = losses(p, x, y, dead, o)
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = o["adam"]["learningRate"]
        stats["gradientNorm"] = update(p, optimizer, o)
        since_fired = torch.where((f > 0).any(0), 0, since_fired + N).to(torch.int32)
        if o["form"]["activation"]["kind"] == "batchtopk":
            smallest = float(f[f > 0].min().detach())
            threshold = smallest if threshold is None else 0.99 * threshold + 0.01 * smallest
            stats["threshold"] = threshold
        history.append(stats)
    final = {name: t.detach() for name, t in p.items()}
    return final, since_fired, {name: [stats[name] for stats in history] for name in history[0]}


# ---- choice of starts, files ----


def difference(a, b):
    """Largest difference between two trainings: weights by max(1, largest weight), statistics relatively."""
    worst = 0.0 if torch.equal(a[1], b[1]) else math.inf
    for name, t in a[0].items():
        scale = max(1, float(t.abs().max()))
        worst = max(worst, float((t.double() - b[0][name].double()).abs().max()) / scale)
    for name, values in a[2].items():
        for u, v in zip(values, b[2][name]):
            worst = max(worst, abs(u - v) / max(abs(u), abs(v), 1e-3))
    return worst


def stable_training(c, data):
    """The first seed whose start does not mind rounding, with its start and its training in float32."""
    for seed in itertools.count():
        start = make_start(c, seed)
        g = torch.Generator().manual_seed(seed)
        shaken = {name: t.double() * (1 + 3e-7 * torch.randn(t.shape, generator=g)) for name, t in start.items()}
        if c["options"]["unitNormDecoder"]:
            shaken["wDec"] = unit_rows(shaken["wDec"])
        result, exact = train(c, start, data, torch.float32), train(c, start, data, torch.float64)
        worst = max(difference(exact, result), difference(exact, train(c, shaken, data, torch.float64)))
        if worst < STABLE:
            return seed, start, result, worst


def check_worth(name, c, stats):
    """The case trains, is sparse, and does what it is there for."""
    o = c["options"]
    assert stats["squaredError"][-1] < 0.8 * stats["squaredError"][0], name
    assert all(3 < l0 < 25 for l0 in stats["l0"]) and 5 <= stats["l0"][-1] <= 20, name
    if "auxK" in o:
        assert sum(loss > 0 for loss in stats["auxLoss"]) > 20, name
    if "gradientClip" in o:
        clipped = sum(norm > o["gradientClip"] for norm in stats["gradientNorm"])
        assert 5 <= clipped <= STEPS - 5, name


def main():
    torch.set_num_threads(1)
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else "test/golden/sae/architectures")
    data = make_data()
    about = {"torch": torch.__version__}
    save_file(data, directory / "data.safetensors", about)
    for name, c in CASES.items():
        seed, start, (final, since_fired, stats), worst = stable_training(c, data)
        summary = ", ".join(f"{key} {values[0]:.4g} -> {values[-1]:.4g}" for key, values in stats.items())
        print(f"{name}: seed {seed}, rounding {worst:.1e}, {summary}")
        check_worth(name, c, stats)
        tensors = {f"start.{key}": t for key, t in start.items()} | {f"final.{key}": t for key, t in final.items()}
        tensors |= {"final.tokensSinceFired": since_fired}
        tensors |= {f"stats.{key}": torch.tensor(values, dtype=torch.float32) for key, values in stats.items()}
        save_file(tensors, directory / f"{name}.safetensors", about | {"seed": str(seed)})
    lines = ",\n".join(f'"{name}": {json.dumps(c)}' for name, c in CASES.items())
    (directory / "cases.json").write_text(f'{{"steps": {STEPS}, "cases": {{\n{lines}\n}}}}\n', encoding="utf-8")


main()
