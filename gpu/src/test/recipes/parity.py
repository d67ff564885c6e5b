"""Makes the checkpoints of random weights under src/test/resources/parity, and what Hugging Face transformers computes
with them: the independent implementation that the model code is held against.

Needs PyTorch and transformers 5; a CPU is enough. Everything is computed in fp32 with eager attention, one prompt at a
time and without a key-value cache. Each case is a model directory and an expected.json:

    prompts[].tokens     token ids of the prompt
    prompts[].positions  positions whose logits are kept
    prompts[].logits     base64 of little-endian float32, [positions x vocabulary]
    prompts[].greedy     the 24 tokens that greedy decoding appends
    margin               the least distance between the best and the second logit along all greedy tokens

    python parity.py --output ../resources/parity
"""

import argparse
import base64
import copy
import json
import shutil
from pathlib import Path

import numpy
import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

VOCABULARY = 96
END = 2
LENGTHS = [1, 7, 33, 64]
EVERY_POSITION = 33
GREEDY = 24
LEAST_MARGIN = 0.02

SHAPE = dict(
    vocab_size=VOCABULARY,
    hidden_size=32,
    intermediate_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=256,
    rms_norm_eps=1e-5,
    bos_token_id=1,
    eos_token_id=END,
    rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
)

# Wavelengths of the four frequencies at theta 500: 6.3 (kept), 29.7 (between), 140 and 664 (stretched by the factor).
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def cases():
    """name -> (configuration class, model class, changes to the shape, dtype, shard size, change that must matter)"""
    plain_rope = {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}
    llama = (LlamaConfig, LlamaForCausalLM)
    qwen2 = (Qwen2Config, Qwen2ForCausalLM)
    qwen3 = (Qwen3Config, Qwen3ForCausalLM)
    mistral = (MistralConfig, MistralForCausalLM)
    fp32 = torch.float32
    return {
        "llama": (*llama, {}, fp32, None, None),
        "llama-rope-scaling": (*llama, {"rope_parameters": LLAMA3_ROPE, "tie_word_embeddings": True}, fp32, None, plain_rope),
        "llama-bf16": (*llama, {}, torch.bfloat16, None, None),
        "llama-fp16": (*llama, {}, torch.float16, None, None),
        "llama-sharded": (*llama, {}, fp32, "48KB", None),
        "llama-biases": (*llama, {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}, fp32, None, None),
        "qwen2": (*qwen2, {"rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}}, fp32, None, None),
        "qwen2-sliding-window": (
            *qwen2,
            {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1, "tie_word_embeddings": True},
            fp32,
            None,
            {"use_sliding_window": False},
        ),
        "qwen3": (*qwen3, {"head_dim": 16, "tie_word_embeddings": True}, fp32, None, None),
        "mistral-sliding-window": (*mistral, {"sliding_window": 8}, fp32, None, {"sliding_window": None}),
        "mistral-head-dim": (
            *mistral,
            {"head_dim": 16, "num_key_value_heads": 1, "sliding_window": None, "tie_word_embeddings": True},
            fp32,
            None,
            None,
        ),
    }


def randomise(model, seed):
    """Weights so large that logits are not trivial; gains about one, biases that are not zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                drawn = 0.3 * torch.randn(parameter.shape, generator=generator)
            elif "norm" in name:
                drawn = 0.5 + torch.rand(parameter.shape, generator=generator)
            elif "embed" in name or "lm_head" in name:
                drawn = 0.5 * torch.randn(parameter.shape, generator=generator)
            else:
                drawn = 0.25 * torch.randn(parameter.shape, generator=generator)
            parameter.copy_(drawn)


@torch.no_grad()
def logits_of(model, tokens):
    return model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]


def expectations(model, prompts):
    rows, margin = [], float("inf")
    for prompt in prompts:
        logits = logits_of(model, prompt)
        assert logits.dtype == torch.float32 and torch.isfinite(logits).all()
        positions = list(range(len(prompt))) if len(prompt) == EVERY_POSITION else [len(prompt) - 1]
        tokens = list(prompt)
        for _ in range(GREEDY):
            last = logits_of(model, tokens)[-1]
            best = last.topk(2)
            margin = min(margin, (best.values[0] - best.values[1]).item())
            tokens.append(int(best.indices[0]))
        rows.append(
            {
                "tokens": prompt,
                "positions": positions,
                "logits": base64.b64encode(logits[positions].numpy().astype("<f4").tobytes()).decode("ascii"),
                "greedy": tokens[len(prompt) :],
            }
        )
    return rows, margin


def prompts_of(seed):
    generator = torch.Generator().manual_seed(1000 + seed)
    return [[1] + torch.randint(3, VOCABULARY, (length - 1,), generator=generator).tolist() for length in LENGTHS]


def build(name, output):
    kind, family, changes, dtype, shard, counterfactual = cases()[name]
    shape = copy.deepcopy({**SHAPE, **changes})
    for seed in range(1, 500):
        folder = output / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        model = family(kind(**copy.deepcopy(shape)))
        randomise(model, seed)
        sharding = {} if shard is None else {"max_shard_size": shard}
        model.to(dtype).save_pretrained(folder, **sharding)
        # Read back what was written: its stored weights, in fp32 arithmetic.
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        prompts = prompts_of(seed)
        rows, margin = expectations(model, prompts)
        # A greedy token must not hang on the last bits of a sum, and none may end the text.
        if margin >= LEAST_MARGIN and all(END not in row["greedy"] for row in rows):
            break
    else:
        raise RuntimeError(f"{name}: no seed gives greedy tokens with a margin of {LEAST_MARGIN}")
    if counterfactual is not None:
        other = family._from_config(kind(**copy.deepcopy({**shape, **counterfactual})), attn_implementation="eager").eval()
        other.load_state_dict(model.state_dict())
        longest = max(prompts, key=len)
        difference = (logits_of(other, longest) - logits_of(model, longest)).abs()
        assert difference[-1].max() > 0.1, f"{name}: what the case is about does not matter, {difference.max()}"
    expected = {
        "case": name,
        "seed": seed,
        "vocabulary": VOCABULARY,
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "margin": round(margin, 4),
        "prompts": rows,
    }
    (folder / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n", encoding="ascii")
    for path in folder.iterdir():
        path.chmod(0o644)
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert size < 150_000, (name, size)
    assert shard is None or len(list(folder.glob("model-*.safetensors"))) == 2, sorted(folder.iterdir())
    deviation = float(numpy.frombuffer(base64.b64decode(rows[2]["logits"]), "<f4").std())
    print(f"{name}: seed {seed}, {size} bytes, margin {margin:.4f}, standard deviation of logits {deviation:.2f}", flush=True)
    return size


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--output", type=Path, required=True)
    arguments.add_argument("--case", action="append", choices=list(cases()), help="only these")
    options = arguments.parse_args()
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    total = sum(build(name, options.output) for name in options.case or cases())
    print(f"{total} bytes in all")
    assert options.case or total < 1_000_000, total


if __name__ == "__main__":
    main()
