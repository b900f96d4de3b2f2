"""Makes test/golden/tokenizer/encodings.json: what Hugging Face's `tokenizers` (pip install tokenizers) says about our tokenizer.json.

Usage: python scripts/golden/tokenizer_golden.py test/golden/tokenizer
Reads tokenizer.json and texts.json (a list of strings) there; `node dist/test/corpus/make-golden-tokenizer.js` wrote both.
"""

import json
import sys
from pathlib import Path

import tokenizers

directory = Path(sys.argv[1])
tokenizer = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
texts = json.loads((directory / "texts.json").read_text(encoding="utf-8"))
encodings = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
for text, ids in zip(texts, encodings):
    assert tokenizer.decode(ids, skip_special_tokens=False) == text, text
result = {"library": f"tokenizers {tokenizers.__version__}", "ids": encodings}
(directory / "encodings.json").write_text(json.dumps(result, separators=(",", ":")) + "\n", encoding="utf-8")
print(f"{len(texts)} texts, {sum(map(len, encodings))} tokens, {result['library']}")
