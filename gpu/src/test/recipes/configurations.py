"""Writes src/test/resources/configurations.json: what Hugging Face transformers makes of the configurations below. Spellings
of versions 4 and 5, defaults, windows and rotary frequencies.

Needs transformers 5 and PyTorch.

    python configurations.py --output ../resources/configurations.json
"""

import argparse
import json
import tempfile
from pathlib import Path

import transformers
from transformers import AutoConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.mistral.modeling_mistral import MistralRotaryEmbedding
from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding
from transformers.models.qwen3.modeling_qwen3 import Qwen3RotaryEmbedding

ROTARY = {"llama": LlamaRotaryEmbedding, "mistral": MistralRotaryEmbedding, "qwen2": Qwen2RotaryEmbedding, "qwen3": Qwen3RotaryEmbedding}
NAMES = {"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}
SMALL = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 4, "intermediate_size": 96, "vocab_size": 100}
LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
YARN = {"factor": 4.0, "original_max_position_embeddings": 32768}

CASES = [
    ("llama", {}),
    ("mistral", {}),
    ("qwen2", {}),
    ("qwen3", {}),
    ("llama", SMALL),
    ("mistral", {**SMALL, "num_attention_heads": 8}),
    ("qwen3", {**SMALL, "num_attention_heads": 32}),
    ("llama", {**SMALL, "num_key_value_heads": 2, "head_dim": 32, "rope_theta": 500000.0, "max_position_embeddings": 131072}),
    ("llama", {**SMALL, "num_key_value_heads": None, "head_dim": None, "rope_scaling": None}),
    ("qwen2", {**SMALL, "num_key_value_heads": 2, "head_dim": 24}),
    ("llama", {"rope_scaling": {"rope_type": "llama3", **LLAMA3}, "rope_theta": 500000.0, "max_position_embeddings": 131072}),
    ("llama", {"rope_parameters": {"rope_type": "llama3", "rope_theta": 500000.0, **LLAMA3, "factor": 32.0}, "head_dim": 64, "max_position_embeddings": 131072}),
    ("llama", {"rope_scaling": {"type": "linear", "factor": 4.0}}),
    ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 2.5, "rope_theta": 1e6}}),
    ("llama", {"rope_parameters": {"rope_type": "default"}, "rope_theta": 1000.0}),
    ("llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 2000.0}, "rope_theta": 1000.0}),
    ("qwen3", {"rope_scaling": {"rope_type": "yarn", **YARN}, "rope_theta": 1000000.0, "max_position_embeddings": 40960}),
    ("qwen2", {"rope_scaling": {"type": "yarn", **YARN}, "rope_theta": 1000000.0}),
    ("qwen2", {"rope_scaling": {"type": "yarn", "factor": 4.0}, "max_position_embeddings": 4096}),
    ("llama", {"rope_parameters": {"rope_type": "yarn", **YARN, "rope_theta": 10000.0, "beta_fast": 16, "beta_slow": 2, "truncate": False}}),
    ("llama", {"rope_parameters": {"rope_type": "yarn", **YARN, "rope_theta": 10000.0, "attention_factor": 1.25}}),
    ("llama", {"rope_parameters": {"rope_type": "yarn", **YARN, "rope_theta": 10000.0, "mscale": 0.707, "mscale_all_dim": 1.0}}),
    ("mistral", {**SMALL, "num_key_value_heads": 2, "sliding_window": None}),
    ("mistral", {**SMALL, "num_key_value_heads": 2, "sliding_window": 17}),
    ("qwen2", {**SMALL, "num_key_value_heads": 2, "sliding_window": 17}),
    ("qwen2", {**SMALL, "num_key_value_heads": 2, "use_sliding_window": True, "sliding_window": 17, "max_window_layers": 2}),
    ("qwen2", {**SMALL, "num_key_value_heads": 2, "use_sliding_window": True, "max_window_layers": 0}),
    ("qwen2", {**SMALL, "num_key_value_heads": 2, "use_sliding_window": True, "sliding_window": None, "max_window_layers": 0}),
    ("qwen2", {**SMALL, "num_key_value_heads": 2, "use_sliding_window": True, "sliding_window": 17}),
    (
        "qwen3",
        {
            **SMALL,
            "num_key_value_heads": 2,
            "use_sliding_window": True,
            "sliding_window": 17,
            "max_window_layers": 0,
            "layer_types": ["full_attention", "sliding_attention", "full_attention", "sliding_attention"],
        },
    ),
    ("llama", {**SMALL, "tie_word_embeddings": True, "rms_norm_eps": 1e-5, "attention_bias": True, "mlp_bias": True, "torch_dtype": "bfloat16"}),
    ("qwen3", {**SMALL, "num_key_value_heads": 2, "attention_bias": True, "dtype": "bfloat16"}),
]


def resolved(kind, written):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(written))
        config = AutoConfig.from_pretrained(folder)
    layers = config.num_hidden_layers
    if kind == "mistral":
        windows = [config.sliding_window] * layers
    elif kind == "llama":
        windows = [None] * layers
    else:
        windows = [config.sliding_window if kind == "sliding_attention" else None for kind in config.layer_types]
    rotary = ROTARY[kind](config)
    return {
        "vocabulary": config.vocab_size,
        "hidden": config.hidden_size,
        "intermediate": config.intermediate_size,
        "layers": layers,
        "queryHeads": config.num_attention_heads,
        "keyValueHeads": config.num_key_value_heads,
        "headWidth": getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
        "positions": config.max_position_embeddings,
        "normEpsilon": config.rms_norm_eps,
        "tiedEmbeddings": config.tie_word_embeddings,
        "windows": windows,
        "frequencies": rotary.inv_freq.tolist(),
        "magnitude": float(rotary.attention_scaling),
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--output", type=Path, required=True)
    cases = []
    for kind, fields in CASES:
        written = {"architectures": [NAMES[kind]], "model_type": kind, **fields}
        cases.append({"config": written, "expected": resolved(kind, written)})
    text = json.dumps({"transformers": transformers.__version__, "cases": cases}, separators=(",", ":"))
    arguments.parse_args().output.write_text(text.replace('{"config"', '\n{"config"') + "\n", encoding="ascii")
    print(f"{len(cases)} cases, {len(text)} characters")


if __name__ == "__main__":
    main()
