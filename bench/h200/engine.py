#!/usr/bin/env python3
"""The engine on a GPU, beside transformers in the same run: parity, invariance, decoding, scoring.

    engine.py --java 'java @/opt/java.opts -cp ...' --out DIR PART...

PART    parity       logits of every family against transformers in bf16 and fp32
        ranks        ranked tokens against plain sorting of the device's logits
        sample       greedy tokens of the sample model, GPU against CPU
        invariance   the same requests in other company, to the bit
        decode       tokens per second at the 1B shape, batch 1, 64, 256; with the roofline of the run's own copy bandwidth
        score        tokens per second of scoring at the 1B shape
        8b           decode and score at the 8B shape
        fp8-parity, fp8-perplexity, fp8-invariance   of quantization=fp8
        fp8-make     the model of the next ones, if it is not there
        fp8-decode, fp8-score, fp8-load   quantization=fp8 beside our own bf16: tokens per second, memory
        peers        transformers at the 1B shape: generate with a static cache and torch.compile; scoring
Writes DIR/<bench>.jsonl, one object a line, in the form of the project's results.
"""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import numpy
import torch
import transformers

HERE = pathlib.Path(__file__).resolve().parent.parent.parent
SAMPLE = HERE / "data/models/sample-target"
WORK = pathlib.Path("/tmp/paloverde-models")

SHAPES = {
    "1b": dict(hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32,
               num_key_value_heads=8, head_dim=64, vocab_size=128256, tie_word_embeddings=True),
    "8b": dict(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
               num_key_value_heads=8, head_dim=128, vocab_size=128256, tie_word_embeddings=False),
}
FAMILIES = {
    "llama": (transformers.LlamaConfig, {}),
    "llama-width-128": (transformers.LlamaConfig, dict(head_dim=128, hidden_size=768, num_attention_heads=6, num_key_value_heads=1)),
    "qwen2": (transformers.Qwen2Config, {}),
    "qwen3": (transformers.Qwen3Config, dict(head_dim=96)),
    "mistral": (transformers.MistralConfig, dict(sliding_window=64)),
}


class Results:
    def __init__(self, out):
        self.out = pathlib.Path(out)
        self.device = torch.cuda.get_device_name()
        self.driver = subprocess.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
                                     capture_output=True, text=True).stdout.strip().splitlines()[0]
        self.commit = os.environ.get("COMMIT", "")

    def add(self, bench, case, ours, peer, peer_name, unit, ratio, error=None, **more):
        row = dict(bench=bench, case=case, ours=ours, peer=peer, peer_name=peer_name, unit=unit, ratio=ratio)
        if error is not None:
            row["error"] = error
        row.update(more)
        row.update(device=self.device, driver=self.driver, commit=self.commit,
                   date=datetime.date.today().isoformat())
        print(json.dumps(row), flush=True)
        with open(self.out / f"{bench}.jsonl", "a") as f:
            f.write(json.dumps(row) + "\n")


def probe(java, *arguments, program="dev.paloverde.gpu.decode.EngineProbe", timeout=280):
    done = subprocess.run([*java, program, *map(str, arguments)], capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        print(done.stdout[-3000:], done.stderr[-6000:], sep="\n", flush=True)
        raise RuntimeError(f"probe {arguments} failed with {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith(("{", "["))]


def save(model, name):
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    shutil.copy(SAMPLE / "tokenizer.json", folder)
    return folder


def make(name, config, seed=0, scale=1.0):
    torch.manual_seed(seed)
    with torch.device("cuda"):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if parameter.dim() == 2:
                parameter.normal_(0, scale / parameter.shape[1] ** 0.5)
            elif "bias" in parameter_name:
                parameter.normal_(0, 0.1)
            else:
                parameter.normal_(1, 0.1)
        model.get_input_embeddings().weight.normal_(0, 1)
        if config.tie_word_embeddings:
            model.get_input_embeddings().weight.mul_(0.05)
    return model.eval()


def parity(java, results):
    for name, (kind, extra) in FAMILIES.items():
        shape = dict(hidden_size=512, intermediate_size=1024, num_hidden_layers=4, num_attention_heads=8,
                     num_key_value_heads=2, head_dim=64, vocab_size=2048, max_position_embeddings=1024,
                     tie_word_embeddings=False, bos_token_id=0, eos_token_id=1)
        shape.update(extra)
        model = make(name, kind(**shape))
        folder = save(model, name)
        prompts = [torch.randint(0, 2048, (n,)).tolist() for n in (1, 5, 64, 257, 700)]
        (WORK / "prompts.json").write_text(json.dumps(prompts))
        probe(java, "logits", folder, "cuda", WORK / "prompts.json", WORK / "logits")
        ours = torch.from_numpy(numpy.fromfile(WORK / "logits", dtype="<f4")).reshape(-1, 2048).cuda()
        low, full = [], []
        with torch.no_grad():
            for prompt in prompts:
                low.append(model(torch.tensor([prompt], device="cuda")).logits[0].float())
            exact = model.float()
            exact.set_attn_implementation("eager")
            for prompt in prompts:
                full.append(exact(torch.tensor([prompt], device="cuda")).logits[0])
        low, full = torch.cat(low), torch.cat(full)
        error = ((ours - full).norm() / full.norm()).item()
        theirs = ((low - full).norm() / full.norm()).item()
        results.add("engine-parity", dict(family=name), error, theirs, "transformers bf16", "relative error against fp32",
                    theirs / error)
        if not error <= 2 * theirs:
            raise RuntimeError(f"{name}: error {error} is more than twice {theirs}")


def sample(java, results):
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(SAMPLE / "tokenizer.json"))
    rows = [json.loads(line) for line in open(HERE / "data/corpus/prompts/prompts.jsonl")]
    key = next(k for k in ("prompt", "text") if k in rows[0])
    prompts = [tokenizer.encode(row[key], add_special_tokens=False)[:200] for row in rows[:200]]
    prompts = [p for p in prompts if p]
    (WORK / "prompts.json").write_text(json.dumps(prompts))
    gpu = probe(java, "greedy", SAMPLE, "cuda", WORK / "prompts.json", 48)
    cpu = probe(java, "greedy", SAMPLE, "cpu", WORK / "prompts.json", 48)
    same = sum(a == b for a, b in zip(gpu, cpu))
    results.add("engine-sample-greedy", dict(prompts=len(prompts), tokens=48), same, len(cpu), "the CPU engine in fp32",
                "texts equal", same / len(cpu))


def copy_bandwidth():
    a = torch.empty(1 << 31, dtype=torch.int8, device="cuda").random_()
    b = torch.empty_like(a)
    for _ in range(3):
        b.copy_(a)
    times = []
    for _ in range(10):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        b.copy_(a)
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return 2 * a.numel() / statistics.median(times)


def big(name):
    folder = WORK / name
    if not folder.exists():
        config = transformers.LlamaConfig(**SHAPES[name], max_position_embeddings=8192, bos_token_id=0, eos_token_id=1,
                                          rope_parameters={"rope_type": "default", "rope_theta": 500000.0})
        model = make(name, config)
        save(model, name)
        del model
        torch.cuda.empty_cache()
    return folder


def decode(java, results, name="1b", peers=None, batches=(1, 64, 256), repeats=3):
    shape = SHAPES[name]
    folder = big(name)
    bandwidth = copy_bandwidth()
    torch.cuda.empty_cache()
    weights = sum(f.stat().st_size for f in folder.glob("*.safetensors"))
    if not shape["tie_word_embeddings"]:
        weights -= 2 * shape["vocab_size"] * shape["hidden_size"]  # of the embedding a step reads a few rows
    token = 4 * shape["num_hidden_layers"] * shape["num_key_value_heads"] * shape["head_dim"]
    for batch in batches:
        rows = probe(java, "speed", folder, "cuda", batch, 512, 128, repeats)
        ours = statistics.median(row["tokens_per_second"] for row in rows)
        roof = batch * bandwidth / (weights + batch * (512 + 64) * token)
        case = dict(shape=name, batch=batch, prompt=512, output=128)
        results.add("decode-roofline", case, ours, roof, "bytes over the copy bandwidth of the run", "tokens/s", ours / roof)
        print("  all", rows, flush=True)
        if peers and batch in peers:
            results.add("decode", case, ours, peers[batch], "transformers, static cache, torch.compile", "tokens/s",
                        ours / peers[batch])


def score(java, results, name="1b", peer=None):
    folder = big(name)
    rows = probe(java, "scoring", folder, "cuda", 512 if name == "1b" else 128, 513, 3)
    ours = statistics.median(row["tokens_per_second"] for row in rows)
    results.add("score", dict(shape=name, tokens=512), ours, peer, "transformers, log-softmax gathered" if peer else None,
                "tokens/s", ours / peer if peer else None)


def fake_quantized(model):
    """The projections' weights as quantization=fp8 makes them, in fp32."""
    model = model.float()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("_proj.weight"):
                largest = parameter.abs().amax(1, keepdim=True)  # by a tensor: torch multiplies with a number's inverse
                scale = (largest / torch.full_like(largest, 448)).clamp(min=1.17549435e-38)
                parameter.copy_((parameter / scale).clamp(-448, 448).to(torch.float8_e4m3fn).float() * scale)
    return model


def fp8_parity(java, results):
    for name in ("llama", "qwen2", "qwen3"):
        kind, extra = FAMILIES[name]
        shape = dict(hidden_size=512, intermediate_size=1024, num_hidden_layers=4, num_attention_heads=8,
                     num_key_value_heads=2, head_dim=64, vocab_size=2048, max_position_embeddings=1024,
                     tie_word_embeddings=False, bos_token_id=0, eos_token_id=1)
        shape.update(extra)
        model = make(name, kind(**shape))
        folder = save(model, name + "-fp8")
        prompts = [torch.randint(0, 2048, (n,)).tolist() for n in (1, 5, 64, 257, 700)]
        file = WORK / "fp8-prompts.json"
        file.write_text(json.dumps(prompts))
        probe(java, "logits", folder, "cuda+fp8", file, WORK / "fp8-logits")
        ours = torch.from_numpy(numpy.fromfile(WORK / "fp8-logits", dtype="<f4")).reshape(-1, 2048).cuda()
        with torch.no_grad():
            stored = torch.cat([model.float()(torch.tensor([prompt], device="cuda")).logits[0] for prompt in prompts])
            exact = fake_quantized(model)
            exact.set_attn_implementation("eager")
            full = torch.cat([exact(torch.tensor([prompt], device="cuda")).logits[0] for prompt in prompts])
            half = exact.to(torch.bfloat16)
            low = torch.cat([half(torch.tensor([prompt], device="cuda")).logits[0].float() for prompt in prompts])
        error = ((ours - full).norm() / full.norm()).item()
        theirs = ((low - full).norm() / full.norm()).item()
        moved = ((full - stored).norm() / stored.norm()).item()
        results.add("engine-parity-fp8", dict(family=name), error, theirs,
                    "transformers bf16 of the same quantised weights", "relative error against fp32", theirs / error,
                    error=dict(quantisation=moved))
        if not error <= 2 * theirs:
            raise RuntimeError(f"{name}: error {error} is more than twice {theirs}")


def fp8_perplexity(java, results):
    texts = sorted((HERE / "data/corpus/held-out").glob("*.jsonl"))
    ours = probe(java, "perplexity", SAMPLE, "cuda+fp8", *texts)[0]
    peer = probe(java, "perplexity", SAMPLE, "cuda", *texts)[0]
    assert ours["tokens"] == peer["tokens"]
    results.add("perplexity-fp8", dict(model="sample-target", texts="held-out", tokens=ours["tokens"],
                                       nats=ours["nats_per_token"], peer_nats=peer["nats_per_token"]),
                ours["perplexity"], peer["perplexity"], "our bf16", "perplexity", peer["perplexity"] / ours["perplexity"])


def fp8_decode(java, results, name="1b", batches=(1, 16, 64, 256), repeats=2):
    folder = big(name)
    speeds = {}
    for device in ("cuda+fp8", "cuda"):
        rows = probe(java, "speed", folder, device, ",".join(map(str, batches)), 512, 128, repeats)
        print("  all", device, rows, flush=True)
        for batch in batches:
            speeds[device, batch] = [row for row in rows if row["case"]["batch"] == batch]
    for batch in batches:
        ours, peer = (statistics.median(row["tokens_per_second"] for row in speeds[device, batch])
                      for device in ("cuda+fp8", "cuda"))
        results.add("decode-fp8", dict(shape=name, batch=batch, prompt=512, output=128), ours, peer, "our bf16", "tokens/s",
                    ours / peer)


def fp8_score(java, results, name="1b"):
    ours, peer = (statistics.median(row["tokens_per_second"] for row in
                                    probe(java, "scoring", big(name), device, 256, 513, 2)) for device in ("cuda+fp8", "cuda"))
    results.add("score-fp8", dict(shape=name, tokens=512), ours, peer, "our bf16", "tokens/s", ours / peer)


def fp8_load(java, results, name="1b"):
    ours, peer = (probe(java, "memory", big(name), device)[0] for device in ("cuda+fp8", "cuda"))
    print("  all", ours, peer, flush=True)
    results.add("memory-fp8", dict(shape=name, seconds=ours["seconds"], peer_seconds=peer["seconds"]), ours["bytes"],
                peer["bytes"], "our bf16", "bytes of the loaded model", peer["bytes"] / ours["bytes"])


def transformers_peers(batches=(1, 64, 256)):
    """Tokens per second of transformers at the 1B shape: decoding by batch, and scoring."""
    folder = big("1b")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, device_map="cuda").eval()
    speeds = {}
    torch._dynamo.config.cache_size_limit = 64
    step = torch.compile(model.forward, mode="reduce-overhead", fullgraph=True)
    with torch.no_grad():
        for batch in batches:
            cache = transformers.StaticCache(config=model.config, max_cache_len=640)
            ids = torch.randint(0, 128256, (batch, 512), device="cuda")
            out = model(ids, past_key_values=cache, cache_position=torch.arange(512, device="cuda"), logits_to_keep=1)
            token = out.logits[:, -1:].argmax(-1)
            times = []
            for i in range(100):
                position = torch.tensor([512 + i], device="cuda")
                torch.cuda.synchronize()
                begin = time.perf_counter()
                torch.compiler.cudagraph_mark_step_begin()
                logits = step(token, past_key_values=cache, cache_position=position).logits
                token = logits[:, -1:].argmax(-1).clone()
                torch.cuda.synchronize()
                times.append(time.perf_counter() - begin)
            speeds[batch] = batch / statistics.median(times[20:])
            del cache, out
            torch.cuda.empty_cache()
            print("transformers", batch, speeds[batch], flush=True)
        ids = torch.randint(0, 128256, (16, 513), device="cuda")

        def scored():
            hidden = model.model(ids[:, :-1]).last_hidden_state
            for row in range(ids.shape[0]):
                model.lm_head(hidden[row]).float().log_softmax(-1).gather(-1, ids[row, 1:, None])
        for _ in range(3):
            scored()
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(8):
            scored()
        torch.cuda.synchronize()
        speed = 8 * 16 * 512 / (time.perf_counter() - begin)
        print("transformers scoring", speed, flush=True)
    del model
    torch.cuda.empty_cache()
    return speeds, speed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--java", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("parts", nargs="+")
    arguments = parser.parse_args()
    java = arguments.java.split()
    WORK.mkdir(exist_ok=True)
    results = Results(arguments.out)
    failed = []
    peers, scoring_peer = None, None
    for part in arguments.parts:
        begin = time.time()
        try:
            if part == "peers":
                peers, scoring_peer = transformers_peers()
            elif part == "parity":
                parity(java, results)
            elif part == "sample":
                sample(java, results)
            elif part == "ranks":
                prompts = [torch.randint(0, 500, (n,)).tolist() for n in (1, 7, 40)]
                (WORK / "prompts.json").write_text(json.dumps(prompts))
                for model in (SAMPLE, big("1b")):
                    print(probe(java, "ranks", model, "cuda", WORK / "prompts.json"), flush=True)
            elif part == "invariance":
                for model in (SAMPLE, WORK / "llama-width-128"):
                    if pathlib.Path(model).exists():
                        print(probe(java, "invariance", model, "cuda", 120), flush=True)
            elif part == "decode":
                decode(java, results, peers=peers)
            elif part == "score":
                score(java, results, peer=scoring_peer)
            elif part == "fp8-parity":
                fp8_parity(java, results)
            elif part == "fp8-perplexity":
                fp8_perplexity(java, results)
            elif part == "fp8-invariance":
                print(probe(java, "invariance", SAMPLE, "cuda+fp8", 60), flush=True)
            elif part == "fp8-make":
                big("1b")
            elif part == "fp8-decode":
                fp8_decode(java, results)
            elif part == "fp8-score":
                fp8_score(java, results)
            elif part == "fp8-load":
                fp8_load(java, results)
            elif part == "8b":
                decode(java, results, name="8b", batches=(1, 64), repeats=2)
                score(java, results, name="8b")
            else:
                raise ValueError(part)
        except Exception as e:
            print(f"{part} FAILED: {e!r}", flush=True)
            failed.append(part)
        print(f"-- {part}: {time.time() - begin:.1f} s", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
