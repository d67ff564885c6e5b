"""Checks and times many builds of the attention forward kernel beside PyTorch's backends, in one run.

    attention_explore.py --builds DIR --list FILE --out FILE [--check NAME...] [--sizes 1,4,16]

FILE lists builds, one a line: name d dv dtype. DIR/name.cubin holds the kernel `attention_forward`. One JSON object a
line goes to --out: build, d, s, causal, tflops, milliseconds.
"""

import argparse
import json
import statistics
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

import attention_check
from attention_driver import Kernel

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def time_all(candidates, repeats, warmup=3):
    """Milliseconds for each of {name: function}: medians of device events, candidates taking turns."""
    for function in candidates.values():
        for _ in range(warmup):
            function()
    torch.cuda.synchronize()
    times = {name: [] for name in candidates}
    for _ in range(repeats):
        events = []
        for name, function in candidates.items():
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            function()  # brings the caches and clocks to this candidate's own state
            begin.record()
            function()
            end.record()
            events.append((name, begin, end))
        torch.cuda.synchronize()
        for name, begin, end in events:
            times[name].append(begin.elapsed_time(end))
    return {name: statistics.median(values) for name, values in times.items()}


def inputs(d, dv, s, tokens, dtype):
    heads = 2048 // d
    b = max(1, tokens // s)
    make = lambda width: torch.randn(b, s, heads, width, device="cuda", dtype=torch.float32).to(dtype)
    return make(d), make(d), make(dv)


def peers(q, k, v, causal):
    qt, kt, vt = (x.transpose(1, 2) for x in (q, k, v))

    def run(backend):
        def call():
            with sdpa_kernel(backend):
                return torch.nn.functional.scaled_dot_product_attention(qt, kt, vt, is_causal=causal)
        return call

    return {"cudnn": run(SDPBackend.CUDNN_ATTENTION), "fa2": run(SDPBackend.FLASH_ATTENTION)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--builds", required=True)
    parser.add_argument("--list", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--check", nargs="*", default=[])
    parser.add_argument("--quick-check", nargs="*", default=[])
    parser.add_argument("--sizes", default="1,4,16")
    parser.add_argument("--tokens", type=int, default=16384)
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--smoke")
    options = parser.parse_args()
    torch.manual_seed(time.time_ns() % (1 << 31))
    builds = [line.split() for line in open(options.list) if line.strip() and not line.startswith("#")]
    if options.smoke:
        name, d, dv, dtype = next(b for b in builds if b[0] == options.smoke)
        kernel = Kernel(f"{options.builds}/{name}.cubin")
        for sq, sk, causal in ((64, 64, False), (300, 300, True), (2048, 2048, True)):
            q, k, v = (attention_check.fresh((2, n, 4, w), DTYPES[dtype])
                       for n, w in ((sq, int(d)), (sk, int(d)), (sk, int(dv))))
            out, lse = attention_check.run(kernel, q, k, v, causal=causal)
            seen = attention_check.mask_of(sq, sk, causal, (-1, -1))
            print("smoke", name, sq, sk, causal, attention_check.judge("smoke", out, lse, q, k, v, seen), flush=True)
        return
    kernels = {}
    for name, d, dv, dtype in builds:
        kernels[name] = Kernel(f"{options.builds}/{name}.cubin")
    results = open(options.out, "a")
    for name, d, dv, dtype in builds:
        if name in kernels and name in options.check + options.quick_check:
            try:
                began = time.time()
                print(name, "check", attention_check.check(kernels[name], int(d), int(dv), DTYPES[dtype],
                                                           quick=name in options.quick_check),
                      f"{time.time() - began:.1f}s", flush=True)
            except attention_check.Failure as failure:
                print(name, "WRONG", failure, flush=True)
    groups = sorted({(int(d), int(dv), dtype) for _, d, dv, dtype in builds}, reverse=True)
    for d, dv, dtype in groups:
        for s in (int(float(x) * 1024) for x in options.sizes.split(",")):
            q, k, v = inputs(d, dv, s, options.tokens, DTYPES[dtype])
            out = torch.empty(q.shape[:-1] + (dv,), dtype=q.dtype, device="cuda")
            lse = torch.empty(q.shape[0], q.shape[2], s, device="cuda")
            for causal in (False, True):
                candidates = peers(q, k, v, causal) if d == dv else {}
                for name, *rest in builds:
                    if name in kernels and rest == [str(d), str(dv), dtype]:
                        candidates[name] = kernels[name].launcher(q, k, v, out, lse, causal=causal)
                flop = 2 * q.shape[0] * q.shape[2] * s * s * (d + dv) * (0.5 if causal else 1)
                times = time_all(candidates, options.repeats)
                best = max(times, key=lambda n: flop / times[n])
                print(f"d={d} s={s} causal={int(causal)} " + " ".join(
                    f"{n}={flop / t / 1e9:.0f}" + ("*" if n == best else "") for n, t in times.items()), flush=True)
                for n, t in times.items():
                    results.write(json.dumps(dict(build=n, d=d, dv=dv, dtype=dtype, s=s, causal=causal, ms=t,
                                                  tflops=flop / t / 1e9)) + "\n")
                results.flush()


if __name__ == "__main__":
    main()
