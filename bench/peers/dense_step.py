"""One training step of a dense sparse autoencoder in eager PyTorch on the CPU: a peer of our fused step.

Equations as in docs/architectures.md, without AuxK (nothing is dead in the steps measured). Dense, but without needless
work: b_dec is folded into the encoder's bias, so that autograd does not multiply out a gradient of x; penalties are sums
over columns where they can be; Matryoshka's prefixes share one decoding. Prints one line of JSON: the milliseconds of the
fastest step after a warm-up step, and the largest memory of the process. x is random normal; --density is the share of
features active at the start of architectures without k. Runs on torch 1.13 and later.
"""

import argparse
import json
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F

ARCHITECTURES = ("relu", "relu-norm", "gated", "jumprelu", "jumprelu-tanh", "topk", "batchtopk", "matryoshka")
COEFFICIENTS = {"relu": 1.0, "relu-norm": 5.0, "gated": 1.0, "jumprelu": 1e-2, "jumprelu-tanh": 1.0}
SUBTRACTING = ("relu", "gated", "topk", "batchtopk", "matryoshka")
CLIPPED = ("relu-norm", "jumprelu-tanh")  # and their decoder is unconstrained
TANH_SCALE, PRE_ACT, THETA = 4.0, 3e-6, 0.1
BANDWIDTH = {"jumprelu": 0.05, "jumprelu-tanh": 2.0}


class JumpRelu(torch.autograd.Function):
    """pre, theta -> f, and how many are active; the rectangle kernel for theta"""

    @staticmethod
    def forward(ctx, pre, theta, bandwidth):
        active = pre > theta
        ctx.save_for_backward(pre, theta, active)
        ctx.bandwidth = bandwidth
        return pre * active, active.sum(dtype=pre.dtype)

    @staticmethod
    def backward(ctx, df, d_count):
        pre, theta, active = ctx.saved_tensors
        near = (pre - theta).abs_() < ctx.bandwidth / 2
        d_theta = (df * near).sum(0).mul_(theta).add_(d_count * near.sum(0)).div_(-ctx.bandwidth)
        return df * active, d_theta, None


def make_params(a):
    """W_enc = W_dec, and biases with which about --density of the features are active on normal data"""
    norm = 0.1 if a.architecture in CLIPPED else 1.0
    w = F.normalize(torch.randn(a.f, a.d), dim=1) * norm
    p = {"w_enc": w.clone(), "b_enc": torch.zeros(a.f), "w_dec": w, "b_dec": torch.zeros(a.d)}
    if a.architecture in COEFFICIENTS:
        p["b_enc"] -= statistics.NormalDist().inv_cdf(1 - a.density) * norm
    if a.architecture == "gated":
        p["r_mag"], p["b_mag"] = torch.zeros(a.f), torch.zeros(a.f)
    if a.architecture.startswith("jumprelu"):
        p["b_enc"] += THETA
        theta = torch.full((a.f,), THETA)
        p["threshold"] = theta.log() if a.architecture == "jumprelu-tanh" else theta
    return {name: t.requires_grad_() for name, t in p.items()}


def keep_largest(pre, k):
    """Zeros but for the k largest of every row (of the whole where pre is flat) that are positive"""
    values, places = pre.topk(k, dim=-1, sorted=False)
    return torch.zeros_like(pre).scatter(-1, places, values.relu())


def codes_and_penalty(p, pre, x, a):
    """f [N, F], and what is added to the squared error, summed over tokens"""
    kind = a.architecture
    if kind == "topk":
        return keep_largest(pre, a.k), 0
    if kind in ("batchtopk", "matryoshka"):
        return keep_largest(pre.flatten(), a.k * a.b).view_as(pre), 0
    coefficient = COEFFICIENTS[kind]
    if kind == "relu":
        f = pre.relu()
        return f, coefficient * f.sum()
    if kind == "relu-norm":
        f = pre.relu()
        return f, coefficient * f.sum(0) @ p["w_dec"].norm(dim=1)
    if kind == "gated":
        gate = pre.relu()
        magnitude = torch.addcmul(p["b_mag"], p["r_mag"].exp(), pre - p["b_enc"])
        x_gate = torch.addmm(p["b_dec"].detach(), gate, p["w_dec"].detach())
        return magnitude.relu() * (pre > 0), coefficient * gate.sum() + (x - x_gate).square().sum()
    if kind == "jumprelu":
        f, count = JumpRelu.apply(pre, p["threshold"], BANDWIDTH[kind])
        return f, coefficient * count
    theta, norms = p["threshold"].exp(), p["w_dec"].norm(dim=1)
    f, _ = JumpRelu.apply(pre, theta, BANDWIDTH[kind])
    below = (theta - pre).relu().sum(0) @ norms
    return f, coefficient * (f * (TANH_SCALE * norms)).tanh().sum() + PRE_ACT * below


def squared_error(p, x, f, a):
    if a.architecture != "matryoshka":
        return (torch.addmm(p["b_dec"], f, p["w_dec"]) - x).square().sum()
    error, start, total = p["b_dec"] - x, 0, 0
    for end in (a.f // 16, a.f // 8, a.f // 4, a.f // 2, a.f):
        error = torch.addmm(error, f[:, start:end], p["w_dec"][start:end])
        total, start = total + error.square().sum(), end
    return total


def make_adam(p):
    """The fused update where this torch has one for the CPU, else the fastest there is"""
    try:
        return torch.optim.Adam(p.values(), lr=1e-4, fused=True)
    except (RuntimeError, TypeError):
        return torch.optim.Adam(p.values(), lr=1e-4, foreach=True)


def make_stepper(a):
    p, x = make_params(a), torch.randn(a.b, a.d)
    adam = make_adam(p)
    unit_decoder = a.architecture not in CLIPPED

    def step():
        bias = p["b_enc"] - p["w_enc"] @ p["b_dec"] if a.architecture in SUBTRACTING else p["b_enc"]
        f, penalty = codes_and_penalty(p, F.linear(x, p["w_enc"], bias), x, a)
        loss = (squared_error(p, x, f, a) + penalty) / a.b
        adam.zero_grad(set_to_none=True)
        loss.backward()
        with torch.no_grad():
            w, grad = p["w_dec"], p["w_dec"].grad
            if unit_decoder:
                grad.addcmul_(w, (grad * w).sum(1, keepdim=True), value=-1)
            else:
                torch.nn.utils.clip_grad_norm_(list(p.values()), 1.0)
            adam.step()
            if unit_decoder:
                w.div_(w.norm(dim=1, keepdim=True))
            if a.architecture == "jumprelu":
                p["threshold"].clamp_(min=0)
        active = (f.detach() > 0).sum(1, dtype=torch.float32).mean() if a.show else 0
        return loss.item(), float(active)

    return step


def seconds(step):
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--architecture", choices=ARCHITECTURES, required=True)
    for name, default in (("b", 4096), ("d", 512), ("f", 16384), ("k", 32), ("steps", 3), ("threads", None)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--density", type=float, default=0.01)
    parser.add_argument("--show", action="store_true", help="also print loss and L0 of the steps")
    return parser.parse_args()


def main():
    a = arguments()
    if a.threads:
        torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    step = make_stepper(a)
    step()
    if a.show:
        print(*(step() for _ in range(a.steps)), file=sys.stderr)
    fastest = min(seconds(step) for _ in range(a.steps))
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    about = {"torch": torch.__version__, "threads": torch.get_num_threads(), "rssMiB": round(kibibytes / 1024)}
    print(json.dumps({"ms": round(1000 * fastest, 3), **about}))


main()
