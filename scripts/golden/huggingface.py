"""Golden numbers for test/model/huggingface: tiny checkpoints of Hugging Face families and what transformers computes with them.

Run from the repository root:  python3 scripts/golden/huggingface.py [variant ...]
Writes test/golden/hf/<variant>/: config.json, config.older.json (the older dialect, where it differs), the weights, and golden.safetensors
with input_ids, logits, loss, resid_pre.0, resid_post.N, mlp_out.N and a greedy continuation, in fp32 with eager attention.
Each variant names changes of its configuration that must change the logits: so that no test passes when an option is ignored.
Made with transformers 5.18, PyTorch 2.13. (The directories gpt2, gpt-neox, llama and gemma2 were made elsewhere.)
"""

import json
import shutil
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

OUT = Path("test/golden/hf")
V, D, LAYERS, BATCH, T, PROMPT, GREEDY = 64, 16, 2, 2, 24, 8, 20

LLAMA = dict(
    vocab_size=V, hidden_size=D, intermediate_size=24, num_hidden_layers=LAYERS, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=64, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, pad_token_id=None,
)
NEOX = dict(
    vocab_size=V, hidden_size=D, intermediate_size=24, num_hidden_layers=LAYERS, num_attention_heads=2, max_position_embeddings=64,
    bos_token_id=0, eos_token_id=0,
)
GPT2 = dict(vocab_size=V, n_embd=D, n_layer=LAYERS, n_head=4, n_positions=32, bos_token_id=0, eos_token_id=0)
LLAMA3 = dict(rope_type="llama3", rope_theta=100.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=3.0,
              original_max_position_embeddings=32)

# name: (family, configuration, changes that must matter, dtype on disk, bytes of a shard or None)
VARIANTS = {
    "mistral": ("mistral", dict(LLAMA, sliding_window=5), [dict(sliding_window=None), dict(sliding_window=6)], torch.float32, None),
    "qwen2": (
        "qwen2",
        dict(LLAMA, use_sliding_window=True, sliding_window=6, max_window_layers=1, tie_word_embeddings=True),
        [dict(use_sliding_window=False), dict(max_window_layers=0), dict(sliding_window=5)],
        torch.float32, None,
    ),
    "qwen3": ("qwen3", dict(LLAMA, head_dim=6, rope_parameters=dict(rope_type="default", rope_theta=500.0)),
              [dict(rope_parameters=dict(rope_type="default", rope_theta=1e4))], torch.float32, None),
    "llama-linear": (
        "llama",
        dict(LLAMA, rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=3.0)),
        [dict(rope_parameters=dict(rope_type="default", rope_theta=10000.0))],
        torch.float32, None,
    ),
    "llama3-biases-tied": (
        "llama",
        dict(LLAMA, head_dim=12, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, rope_parameters=LLAMA3),
        [dict(rope_parameters=dict(rope_type="default", rope_theta=100.0)),
         dict(rope_parameters=dict(LLAMA3, low_freq_factor=2.0)), dict(rope_parameters=dict(LLAMA3, high_freq_factor=8.0)),
         dict(rope_parameters=dict(LLAMA3, original_max_position_embeddings=64)),
         dict(attention_bias=False), dict(mlp_bias=False)],
        torch.float32, None,
    ),
    "gpt-neox-sequential": (
        "gpt_neox",
        dict(NEOX, use_parallel_residual=False,
             rope_parameters=dict(rope_type="default", rope_theta=300.0, partial_rotary_factor=1.0)),
        [dict(use_parallel_residual=True), dict(hidden_act="gelu_new"),
         dict(rope_parameters=dict(rope_type="default", rope_theta=300.0, partial_rotary_factor=0.5)),
         dict(rope_parameters=dict(rope_type="default", rope_theta=1e4, partial_rotary_factor=1.0))],
        torch.float32, None,
    ),
    "gpt-neox-partial": (  # 3 of a head's 8 dimensions: an odd number, which makes two pairs
        "gpt_neox",
        dict(NEOX, attention_bias=False, hidden_act="relu",
             rope_parameters=dict(rope_type="default", rope_theta=50.0, partial_rotary_factor=0.4)),
        [dict(use_parallel_residual=False), dict(hidden_act="gelu"),
         dict(rope_parameters=dict(rope_type="default", rope_theta=50.0, partial_rotary_factor=0.5))],
        torch.float32, None,
    ),
    "gemma2-small-caps": (
        "gemma2",
        dict(LLAMA, head_dim=6, query_pre_attn_scalar=3, attn_logit_softcapping=2.0, final_logit_softcapping=4.0, sliding_window=5),
        [dict(query_pre_attn_scalar=6), dict(attn_logit_softcapping=None), dict(final_logit_softcapping=None),
         dict(sliding_window=6), dict(layer_types=["full_attention", "sliding_attention"]),
         dict(layer_types=["full_attention", "full_attention"]), dict(hidden_activation="gelu")],
        torch.float32, None,
    ),
    "llama-bf16-shards": ("llama", dict(LLAMA, rms_norm_eps=1e-2), [dict(rms_norm_eps=1e-6)], torch.bfloat16, 6_000),
    "gpt2-f16-no-prefix": (
        "gpt2", dict(GPT2, n_inner=20, scale_attn_weights=False), [dict(scale_attn_weights=True)], torch.float16, None,
    ),
}


def make_weights(model, dtype, seed):
    """Every parameter random, biases and norms too, large enough that nothing can be left out, and exact in `dtype`."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            is_norm = p.dim() == 1 and not name.endswith("bias")
            value = 1 + 0.3 * noise if is_norm else (0.3 if p.dim() == 1 else 0.35) * noise
            p.copy_(value.to(dtype).float())


def build(family, options):
    config = AutoConfig.for_model(family, **options)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager")
    return model.eval()


def blocks_of(model):
    base = model.base_model
    return base.h if hasattr(base, "h") else base.layers


def capture(model, ids):
    """Logits and hidden states of one forward pass, by the names of the golden file."""
    found = {}
    hooks = []
    blocks = blocks_of(model)
    first = lambda x: (x[0] if isinstance(x, tuple) else x).detach().clone().contiguous()
    hooks.append(blocks[0].register_forward_pre_hook(
        lambda m, args, kwargs: found.__setitem__("resid_pre.0", first(args or kwargs["hidden_states"])), with_kwargs=True))
    for n, block in enumerate(blocks):
        hooks.append(block.register_forward_hook(lambda m, a, out, n=n: found.__setitem__(f"resid_post.{n}", first(out))))
        hooks.append(block.mlp.register_forward_hook(lambda m, a, out, n=n: found.__setitem__(f"mlp_out.{n}", first(out))))
    with torch.no_grad():
        found["logits"] = model(ids, use_cache=False).logits
    for hook in hooks:
        hook.remove()
    return found


def continuation(model, prompt):
    """Greedy, without a cache, and how clear the closest of its choices is."""
    ids, margin = prompt, float("inf")
    while ids.shape[1] < GREEDY:
        with torch.no_grad():
            top = model(ids, use_cache=False).logits[0, -1].topk(2)
        margin = min(margin, (top.values[0] - top.values[1]).item())
        ids = torch.cat([ids, top.indices[:1][None]], dim=1)
    return ids, margin


def older_dialect(config):
    """The same configuration as transformers 4 wrote it."""
    config = dict(config)
    rope = config.pop("rope_parameters", None)
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.44.0"
    if rope is None:
        return config
    theta, kind, part = rope.pop("rope_theta"), rope["rope_type"], rope.pop("partial_rotary_factor", None)
    if config["model_type"] == "gpt_neox":
        config |= {"rotary_emb_base": theta, "rotary_pct": part}
    else:
        config["rope_theta"] = theta
    scaling = {"type" if kind == "linear" else k: v for k, v in rope.items() if k == "rope_type"} | {
        k: v for k, v in rope.items() if k != "rope_type"}
    config["rope_scaling"] = None if kind == "default" else scaling
    return config


def check_changes(model, family, options, changes, ids, logits):
    """Each change of an option must change the logits by more than twice what the tests tolerate."""
    for change in changes:
        other = build(family, dict(options, **change))
        other.load_state_dict(model.state_dict(), strict=False)
        with torch.no_grad():
            difference = (other(ids, use_cache=False).logits - logits).abs().max().item()
        print(f"    {json.dumps(change)}: logits change by {difference:.4f}")
        assert difference > 5e-4, change


def save_weights(model, name, directory, dtype, shard):
    model.to(dtype).save_pretrained(directory, max_shard_size=shard or "1GB")
    model.float()
    if name == "gpt2-f16-no-prefix":  # as the first GPT-2 checkpoints: the base model's names, and its masks beside the weights
        base = {key: value.contiguous().half() for key, value in model.base_model.state_dict().items()}
        for n in range(LAYERS):
            base[f"h.{n}.attn.bias"] = torch.tril(torch.ones(1, 1, 32, 32, dtype=torch.uint8))
        save_file(base, directory / "model.safetensors", {"format": "pt"})


def make(name, family, options, changes, dtype, shard):
    print(name)
    for seed in range(100):
        model = build(family, options)
        make_weights(model, dtype, seed)
        generator = torch.Generator().manual_seed(1000 + seed)
        ids = torch.randint(3, V, (BATCH, T), generator=generator)
        greedy, margin = continuation(model, torch.randint(3, V, (1, PROMPT), generator=generator))
        if margin > 0.02 and len(set(greedy[0, PROMPT:].tolist())) > 4:
            break
    golden = capture(model, ids)
    loss = torch.nn.functional.cross_entropy(golden["logits"][:, :-1].reshape(-1, V), ids[:, 1:].reshape(-1))
    check_changes(model, family, options, changes, ids, golden["logits"])
    golden |= {"input_ids": ids.int(), "loss": loss[None], "greedy": greedy.int()}
    directory = OUT / name
    shutil.rmtree(directory, ignore_errors=True)
    save_weights(model, name, directory, dtype, shard)
    save_file({key: value.contiguous() for key, value in golden.items()}, directory / "golden.safetensors")
    check_dialects(directory, ids, golden["logits"])
    for file in directory.iterdir():
        file.chmod(0o644)
    print(f"    seed {seed}, logits up to {golden['logits'].abs().max():.2f}, {sum(f.stat().st_size for f in directory.iterdir())} bytes")


def check_dialects(directory, ids, logits):
    """transformers must compute the same from the older dialect; the newer one stays in config.json."""
    path = directory / "config.json"
    newer = path.read_text()
    older = json.dumps(older_dialect(json.loads(newer)), indent=2)
    for text in (older, newer):
        path.write_text(text)
        model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager")
        with torch.no_grad():
            assert (model(ids, use_cache=False).logits - logits).abs().max() < 1e-5, directory
    (directory / "config.older.json").write_text(older + "\n")


def main():
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    for name, (family, options, changes, dtype, shard) in VARIANTS.items():
        if len(sys.argv) == 1 or name in sys.argv:
            make(name, family, options, changes, dtype, shard)


main()
