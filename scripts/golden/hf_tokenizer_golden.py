"""Makes test/golden/hf-tokenizers/: a small tokenizer of each kind that Hugging Face's models use, and what `tokenizers` says about texts.

Usage: python scripts/golden/hf_tokenizer_golden.py test/golden/tokenizer/texts.json test/golden/hf-tokenizers
Each <kind>.json holds `tokenizer` (a tokenizer.json) and, for each of `texts`, the ids without special tokens (their names in the
text stay text), the ids as its post-processor makes them, and the decoded text with and without special tokens.
"""

import json
import sys
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

texts = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
out = Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
VOCABULARY = 450

# The kinds meet every text that the plain byte-level BPE meets, and these: names of added tokens, spaces, case, normal forms.
special_texts = [
    "<s>", "</s>", "a<s>b</s> c", "<bos><eos>", "<|begin_of_text|>He'LL say 'S 'T<|end_of_text|>", "it'ſ 'ſ 'RE 'vE I'M",
    "  two  spaces   three", "\n\n\nlines\r\n\r\n  \n x", "\t tab", "   ", " ", "\u2581", "\u2581a \u2581 b", "a\u2581\u2581b",
    "e\u0301 \u1e9b\u0323 \ufb01 \u212b \uac00 \u1100\u1161", "12345678901 1,234.56", "<0x41><0xE2>", "<table> <td>x</td>", "\u00a0nbsp\u00a0",
    "\u0085next\ufeffline", "x" * 300, "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea", "\u0000\u0001\u001f\u007f", "mask [MASK] me [MASK]",
    "word<w>word <w> w<w>", "  <l>  x  <r>  y", "\ue000 private \U000f0000",
]
all_texts = special_texts + texts[::5]


def train(tokenizer, trainer):
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def byte_level_trainer(vocab=VOCABULARY, special=()):
    return trainers.BpeTrainer(
        vocab_size=vocab, special_tokens=list(special), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )


def llama3():
    t = Tokenizer(models.BPE(ignore_merges=True))
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    t.decoder = decoders.ByteLevel()
    train(t, byte_level_trainer())
    t.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>"])
    t.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", t.token_to_id("<|begin_of_text|>"))]
            ),
        ]
    )
    return t


def qwen2():
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(QWEN2), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    t.decoder = decoders.ByteLevel()
    train(t, byte_level_trainer())
    t.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    t.add_tokens([AddedToken("<td>", normalized=False), AddedToken("</td>", normalized=False)])
    return t


def pythia():
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    train(t, byte_level_trainer(special=["<|endoftext|>"]))
    t.add_tokens([AddedToken(" " * n, normalized=True) for n in range(5, 1, -1)])
    t.add_tokens([AddedToken("<w>", single_word=True), AddedToken("<l>", lstrip=True), AddedToken("<r>", rstrip=True)])
    t.add_special_tokens([AddedToken("[MASK]", lstrip=True)])
    return t


BYTES = [f"<0x{b:02X}>" for b in range(256)]
CONTROLS = ["<unk>", "<s>", "</s>"]


def sentencepiece_like(t, byte_tokens_special=False):
    """A BPE over characters with byte fallback: merges are learnt, then byte tokens are put into the vocabulary as plain entries."""
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=CONTROLS, show_progress=False, limit_alphabet=120)
    train(t, trainer)
    document = json.loads(t.to_str())
    vocab = document["model"]["vocab"]
    moved = {token: i for i, token in enumerate(CONTROLS + BYTES)}
    for token in sorted(vocab, key=vocab.get):
        moved.setdefault(token, len(moved))
    document["model"].update(vocab=moved, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    document["added_tokens"] = [
        {"id": i, "content": c, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for i, c in enumerate(CONTROLS)
    ]
    return Tokenizer.from_str(json.dumps(document))


def bos_template(t):
    t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", t.token_to_id("<s>"))])
    return t


def llama2():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.normalizer = None
    t = sentencepiece_like(t)
    t.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    t.pre_tokenizer = None
    t.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return bos_template(t)


def mistral():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
    t = sentencepiece_like(t)
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    t.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return bos_template(t)


def gemma2():
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.Replace(" ", "\u2581")
    t.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")
    t = sentencepiece_like(t)
    t.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    t.add_tokens(
        [AddedToken(c, normalized=False) for c in ["\n\n", "\n\n\n", "\u2581\u2581", "\u2581\u2581\u2581", "<table>", "<td>", "[MASK]"]]
    )
    return bos_template(t)


def unigram():
    t = Tokenizer(models.Unigram())
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    train(t, trainers.UnigramTrainer(vocab_size=1100, special_tokens=["</s>", "<unk>"], unk_token="<unk>", show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", t.token_to_id("</s>"))])
    return t


for make in [llama3, qwen2, pythia, llama2, mistral, gemma2, unigram]:
    t = make()
    t.encode_special_tokens = True
    plain = [t.encode(text, add_special_tokens=False).ids for text in all_texts]
    t.encode_special_tokens = False
    exact = [t.encode(text).ids for text in all_texts]
    result = {
        "library": f"tokenizers {tokenizers.__version__}",
        "tokenizer": json.loads(t.to_str()),
        "texts": special_texts,
        "plain": plain,
        "exact": exact,
        "decoded": [t.decode(ids, skip_special_tokens=False) for ids in exact[: len(special_texts)]],
        "skipped": [t.decode(ids) for ids in exact[: len(special_texts)]],
        # Half characters, bytes in another order: what a model may write.
        "reversed": [t.decode(ids[::-1], skip_special_tokens=False) for ids in exact[: len(special_texts)]],
    }
    path = out / f"{make.__name__}.json"
    path.write_text(json.dumps(result, separators=(",", ":"), ensure_ascii=True) + "\n", encoding="utf-8")
    print(f"{path}: {path.stat().st_size} bytes, {sum(map(len, plain))} tokens")
