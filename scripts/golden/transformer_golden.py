"""Golden numbers for test/model/transformer-golden.test.ts: the same transformer in plain PyTorch.

Run from the repository root:  python3 scripts/golden/transformer_golden.py
Writes test/golden/transformer/golden.safetensors: parameters, a batch with two documents packed into one window,
logits, losses, all gradients of the mean loss, and the losses of ten AdamW steps with clipping. Needs torch only.
"""

import json
import math
import struct
import sys

import torch
import torch.nn.functional as F

LAYERS, D, HEADS, MLP, CONTEXT, V, BATCH = 2, 16, 2, 24, 7, 23, 2
ADAM = dict(lr=1e-2, betas=(0.9, 0.98), eps=1e-8)
WEIGHT_DECAY, CLIP, STEPS = 0.1, 0.5, 10
OUT = "test/golden/transformer/golden.safetensors"


def make_params():
    """Every parameter random, biases and LayerNorm weights too, so that each one's gradient is tested."""
    shapes = {"embed.W_E": (V, D), "pos_embed.W_pos": (CONTEXT, D)}
    for i in range(LAYERS):
        b = f"blocks.{i}"
        for ln in ("ln1", "ln2"):
            shapes[f"{b}.{ln}.w"] = shapes[f"{b}.{ln}.b"] = (D,)
        for h in "QKVO":
            shapes[f"{b}.attn.W_{h}"], shapes[f"{b}.attn.b_{h}"] = (D, D), (D,)
        shapes[f"{b}.mlp.W_in"], shapes[f"{b}.mlp.b_in"] = (D, MLP), (MLP,)
        shapes[f"{b}.mlp.W_out"], shapes[f"{b}.mlp.b_out"] = (MLP, D), (D,)
    shapes["ln_final.w"] = shapes["ln_final.b"] = (D,)
    shapes["unembed.W_U"] = (D, V)
    generator = torch.Generator().manual_seed(0)
    params = {}
    for name, shape in shapes.items():
        p = torch.randn(shape, generator=generator) * 0.3
        if name.endswith(".w"):
            p = p + 1
        params[name] = p.requires_grad_()
    return params


def forward(p, tokens, starts):
    """tokens, starts [B, T] -> logits [B, T, V]"""
    B, T = tokens.shape
    x = p["embed.W_E"][tokens] + p["pos_embed.W_pos"][:T]
    to, source = torch.arange(T)[None, :, None], torch.arange(T)[None, None, :]
    allowed = (source <= to) & (source >= starts[:, :, None])
    for i in range(LAYERS):
        b = f"blocks.{i}"
        y = F.layer_norm(x, (D,), p[f"{b}.ln1.w"], p[f"{b}.ln1.b"])
        qkv = (y @ p[f"{b}.attn.W_{h}"] + p[f"{b}.attn.b_{h}"] for h in "QKV")
        q, k, v = (t.view(B, T, HEADS, D // HEADS).transpose(1, 2) for t in qkv)
        scores = q @ k.transpose(-1, -2) / math.sqrt(D // HEADS)
        pattern = scores.masked_fill(~allowed[:, None], float("-inf")).softmax(-1)
        z = (pattern @ v).transpose(1, 2).reshape(B, T, D)
        x = x + z @ p[f"{b}.attn.W_O"] + p[f"{b}.attn.b_O"]
        y = F.layer_norm(x, (D,), p[f"{b}.ln2.w"], p[f"{b}.ln2.b"])
        h = F.gelu(y @ p[f"{b}.mlp.W_in"] + p[f"{b}.mlp.b_in"], approximate="tanh")
        x = x + h @ p[f"{b}.mlp.W_out"] + p[f"{b}.mlp.b_out"]
    return F.layer_norm(x, (D,), p["ln_final.w"], p["ln_final.b"]) @ p["unembed.W_U"]


def token_losses(p, tokens, starts, targets):
    logits = forward(p, tokens, starts)
    losses = F.cross_entropy(logits.view(-1, V), targets.view(-1), ignore_index=-1, reduction="none")
    return logits, losses


def train(p, tokens, starts, targets):
    """Ten AdamW steps on the one batch; weight decay on matrices only. Returns the loss before each step."""
    decayed = [t for t in p.values() if t.dim() > 1]
    others = [t for t in p.values() if t.dim() == 1]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, **ADAM)
    history = []
    for _ in range(STEPS):
        _, losses = token_losses(p, tokens, starts, targets)
        mean = losses.sum() / (targets >= 0).sum()
        optimizer.zero_grad()
        mean.backward()
        torch.nn.utils.clip_grad_norm_(list(p.values()), CLIP)
        optimizer.step()
        history.append(mean.item())
    return history


def write_safetensors(path, tensors, metadata):
    header, chunks, offset = {"__metadata__": metadata}, [], 0
    for name, t in tensors.items():
        t = t.detach().contiguous()
        dtype, code = ("F32", "f") if t.dtype == torch.float32 else ("I32", "i")
        data = struct.pack(f"<{t.numel()}{code}", *t.flatten().tolist())
        header[name] = {"dtype": dtype, "shape": list(t.shape), "data_offsets": [offset, offset + len(data)]}
        chunks.append(data)
        offset += len(data)
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded + b"".join(chunks))


def main():
    torch.set_num_threads(1)
    params = make_params()
    tensors = {f"param.{name}": p.detach().clone() for name, p in params.items()}
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, V, (BATCH, CONTEXT), generator=generator)
    targets = torch.cat([tokens[:, 1:], torch.tensor([[3], [4]])], dim=1)
    starts = torch.zeros_like(tokens)
    starts[0, 3:] = 3  # a second document begins at position 3 of the first window
    targets[0, 2] = -1
    logits, losses = token_losses(params, tokens, starts, targets)
    (losses.sum() / (targets >= 0).sum()).backward()
    for name, p in params.items():
        tensors[f"grad.{name}"] = p.grad.clone()
        p.grad = None
    tensors |= {"tokens": tokens.int(), "targets": targets.int(), "starts": starts.int()}
    tensors |= {"logits": logits.view(-1, V), "losses": losses}
    tensors["training_losses"] = torch.tensor(train(params, tokens, starts, targets))
    config = dict(layers=LAYERS, dModel=D, heads=HEADS, dMlp=MLP, context=CONTEXT, vocabularySize=V)
    adam = dict(learningRate=ADAM["lr"], beta1=0.9, beta2=0.98, weightDecay=WEIGHT_DECAY, gradientClip=CLIP)
    metadata = {"config": json.dumps(config), "adam": json.dumps(adam), "torch": torch.__version__}
    write_safetensors(sys.argv[1] if len(sys.argv) > 1 else OUT, tensors, metadata)


main()
