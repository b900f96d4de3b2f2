"""Cosines and sines of transformers' rotary embeddings at some positions, for test/model/rotary.test.ts.

python scripts/golden/rotary_golden.py > test/golden/rotary.json
"""

import json

import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

POSITIONS = [0, 1, 7, 100, 8191, 131071]
CASES = {
    "default": {"rope_type": "default", "rope_theta": 10000.0},
    "linear": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0},
    "llama3": {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
}
DIMENSIONS = 64

golden = {"positions": POSITIONS, "dimensions": DIMENSIONS, "cases": {}}
for name, parameters in CASES.items():
    config = LlamaConfig(
        hidden_size=2 * DIMENSIONS,
        num_attention_heads=2,
        max_position_embeddings=131072,
        rope_parameters=parameters,
    )
    rotary = LlamaRotaryEmbedding(config)
    cos, sin = rotary(torch.zeros(1), torch.tensor([POSITIONS]))
    pairs = DIMENSIONS // 2
    golden["cases"][name] = {
        "parameters": parameters,
        "frequencies": rotary.inv_freq.tolist(),
        "cos": cos[0, :, :pairs].flatten().tolist(),
        "sin": sin[0, :, :pairs].flatten().tolist(),
    }
print(json.dumps(golden))
