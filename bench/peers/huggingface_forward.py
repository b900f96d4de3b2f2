"""The peer of bench/huggingface.ts: GPT-2 of transformers with random weights, on the CPU, eager mode.

One JSON line per question on stdin, answered by one JSON line. {"threads": n, "attention": "sdpa" or "eager", "batch": B, "context": T, "steps": n}:
with steps 0 the seconds of one forward pass with logits over B sequences of T tokens; otherwise the seconds of `steps` greedy decoding steps of B
sequences after a cached prompt of T tokens. Nothing else runs while it waits.
"""

import json
import sys
import time

import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel

models = {}


def model_with(attention):
    if attention not in models:
        torch.manual_seed(0)
        config = GPT2Config(attn_implementation=attention)
        models[attention] = GPT2LMHeadModel(config).eval()
    return models[attention]


def forward_seconds(model, batch, context):
    ids = torch.randint(model.config.vocab_size, (batch, context))
    began = time.perf_counter()
    model(ids, use_cache=False)
    return time.perf_counter() - began


def decode_seconds(model, batch, context, steps):
    ids = torch.randint(model.config.vocab_size, (batch, context))
    out = model(ids, use_cache=True, logits_to_keep=1)
    began = time.perf_counter()
    for _ in range(steps):
        token = out.logits[:, -1].argmax(-1, keepdim=True)
        out = model(token, past_key_values=out.past_key_values, use_cache=True)
    out.logits[:, -1].argmax(-1)
    return time.perf_counter() - began


def answer(question):
    torch.set_num_threads(question["threads"])
    model = model_with(question["attention"])
    sizes = (question["batch"], question["context"])
    with torch.inference_mode():
        if question["steps"] > 0:
            return decode_seconds(model, *sizes, question["steps"])
        return forward_seconds(model, *sizes)


def main():
    print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__}), flush=True)
    for line in sys.stdin:
        print(json.dumps({"seconds": answer(json.loads(line))}), flush=True)


main()
