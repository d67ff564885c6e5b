"""Checks and times the backward of attention beside PyTorch's cuDNN and FlashAttention-2, in one run.

    attention_backward_build.sh BUILDS
    attention_backward.py --builds BUILDS --out DIR [--commit HASH] [--seconds N] [--parts PART...]

Writes DIR/attention-backward.jsonl and, for capped scores, DIR/attention-ablation.jsonl, and backward-checks.jsonl and
memcheck.txt, which are not kept. Parts are D-S, two rows of the table (head size and length), and others (grouped heads,
head size 96, fp16, capped scores); all of them unless said.

First the kernels are checked, and run under compute-sanitizer meanwhile. Then, for each shape, a few settings (section,
together, rotation, grid) are timed; the fastest is timed afresh, beside the peers and beside itself with additions to dQ
in any order. `ours`, `peer` and `any_order` are of that second timing, `tried` of the first.

Timing: 16,384 tokens in all, 2048 columns of heads; random data; each candidate first rests, then runs twice to warm up,
then several times, each between two device events; the median counts. The forward is not in it: ours takes the output
and LSE that a forward left, the peers' is torch.autograd.grad on an output computed before, which launches their
backward and nothing else of weight. Ours includes all three launches.
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import statistics
import subprocess
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

import attention_backward_check
import attention_check
from attention_backward_driver import Backward

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
SIZES = [1024, 2048, 4096, 8192, 16384]
TOKENS = 16384
PEERS = {"cudnn": SDPBackend.CUDNN_ATTENTION, "flash-attention-2": SDPBackend.FLASH_ATTENTION}

# Section, together, rotation, grid.
FULL = [(8, 16, 1, 128), (8, 16, 2, 128), (16, 8, 1, 128), (4, 32, 1, 128), (16, 8, -1, None)]
CAUSAL = [(4, 32, 0, None), (8, 16, 0, None), (16, 8, 0, None), (16, 8, -1, None), (32, 4, -1, None)]


def options_of(setting):
    return dict(zip(("section", "together", "rotation", "grid"), setting))


def milliseconds(function, repeats=7, rest=0.03, warm=2):
    torch.cuda.synchronize()
    time.sleep(rest)
    events = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(repeats)]
    for _ in range(warm):
        function()
    for begin, end in events:
        begin.record()
        function()
        end.record()
    torch.cuda.synchronize()
    return statistics.median(begin.elapsed_time(end) for begin, end in events)


def peer(backend, q, k, v, d_out, causal):
    leaves = [x.transpose(1, 2).detach().requires_grad_() for x in (q, k, v)]
    with sdpa_kernel(backend):
        out = torch.nn.functional.scaled_dot_product_attention(*leaves, is_causal=causal,
                                                               enable_gqa=q.shape[2] != k.shape[2])
    gradient = d_out.transpose(1, 2)
    return lambda: torch.autograd.grad(out, leaves, gradient, retain_graph=True)


def check_build(image, name, label, d, dtype, seed):
    """What attention_backward_check says of a build: a summary, or words."""
    torch.manual_seed(seed)
    kernel = Backward(image, name)
    if kernel.local_bytes:
        return f"{kernel.local_bytes} bytes of local memory"
    try:
        return attention_backward_check.check(kernel, d, DTYPES[dtype], capped=label.startswith("softcap"))
    except attention_check.Failure as failure:
        return str(failure)


class Program:
    def __init__(self, options):
        self.options = options
        self.began = time.time()
        self.kernels = {}
        self.images = {}
        for line in open(f"{options.builds}/list.txt"):
            label, image, kernel, d, dtype = line.split()
            image = os.path.join(options.builds, image)
            self.kernels[label] = Backward(image, kernel), int(d), dtype
            self.images[label] = image, kernel
        self.right = {}
        smi = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
                             capture_output=True, text=True).stdout.strip().split(", ")
        self.stamp = dict(device=smi[0], driver=smi[1], torch=torch.__version__,
                          cudnn=torch.backends.cudnn.version(), commit=options.commit,
                          date=time.strftime("%Y-%m-%d", time.gmtime()))

    def left(self):
        return self.options.seconds - (time.time() - self.began)

    def say(self, *words):
        print(f"[{time.time() - self.began:5.1f}]", *words, flush=True)

    def write(self, file, **entry):
        with open(f"{self.options.out}/{file}.jsonl", "a") as f:
            f.write(json.dumps(entry) + "\n")

    def check(self):
        """All builds, side by side in processes of their own."""
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(self.options.processes, mp_context=context) as pool:
            begun = {}
            for label, (_, d, dtype) in self.kernels.items():
                seed = torch.randint(1 << 31, ()).item()
                begun[label] = pool.submit(check_build, *self.images[label], label, d, dtype, seed)
            for label, future in begun.items():
                result = future.result()
                self.right[label] = result if isinstance(result, dict) else None
                self.say(label, "right" if self.right[label] else "WRONG", result)
                self.write("backward-checks", build=label, result=result)

    def memcheck(self, labels):
        """compute-sanitizer over the builds, beside the checks."""
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "attention_backward_memcheck.py")
        return subprocess.Popen(["timeout", "60", "compute-sanitizer", "--report-api-errors", "no", "python3", script,
                                 self.options.builds, *labels],
                                stdout=open(f"{self.options.out}/memcheck.txt", "w"), stderr=subprocess.STDOUT)

    def tensors(self, d, s, causal, dtype="bf16", heads=None, kv_heads=None, batch=None):
        heads = heads or 2048 // d
        kv_heads = kv_heads or heads
        batch = batch or TOKENS // s
        make = lambda h: torch.randn(batch, s, h, d, device="cuda", dtype=torch.float32).to(DTYPES[dtype])
        q, k, v, d_out = make(heads), make(kv_heads), make(kv_heads), make(heads)
        with torch.no_grad():
            out, lse = torch.ops.aten._scaled_dot_product_cudnn_attention(
                q.transpose(1, 2), *(x.repeat_interleave(heads // kv_heads, 2).transpose(1, 2) for x in (k, v)), None,
                True, 0.0, causal, False)[:2]
        lse = lse.reshape(batch, heads, s).float().contiguous()
        found = [torch.empty_like(x) for x in (q, k, v)]
        return q, k, v, out.transpose(1, 2), d_out, lse, *found

    def capped(self, label, s, causal):
        """The kernel for capped scores against the plain one."""
        plain = label.removeprefix("softcap_")
        if not (self.right.get(label) and self.right.get(plain)) or self.left() < 0:
            self.say(f"{label} is not timed")
            return
        _, d, dtype = self.kernels[label]
        tensors = self.tensors(d, s, causal, dtype)
        flop = 10 * tensors[0].shape[0] * tensors[0].shape[2] * s * s * d * (0.5 if causal else 1)
        ours = milliseconds(self.kernels[label][0].launcher(*tensors, causal=causal, softcap=50.0))
        theirs = milliseconds(self.kernels[plain][0].launcher(*tensors, causal=causal))
        case = dict(d=d, s=s, causal=causal, option="softcap in the backward", value="on")
        self.write("attention-ablation", bench="attention-ablation", case=case, ours=round(flop / ours / 1e9, 1),
                   peer=round(flop / theirs / 1e9, 1), peer_name="the plain backward kernel", unit="TFLOP/s",
                   ratio=round(theirs / ours, 3), build=label, **self.stamp)
        self.say(f"{label} causal={causal} {flop / ours / 1e9:.0f} plain {flop / theirs / 1e9:.0f}")

    def row(self, label, s, causal, heads=None, kv_heads=None, batch=None):
        """One row of the table. Errors: greatest against fp32 over the first sequence's first heads."""
        kernel, d, dtype = self.kernels[label]
        if not self.right.get(label):
            self.say(f"{label} is not right: not timed")
            return
        if self.left() < 0:
            self.say(f"{label} {s}: no time left")
            return
        tensors = self.tensors(d, s, causal, dtype, heads, kv_heads, batch)
        q, k, v, out, d_out, lse, *found = tensors
        batch, heads, kv_heads = q.shape[0], q.shape[2], k.shape[2]
        case = dict(d=d, s=s, causal=causal, b=batch, h=heads, h_kv=kv_heads)
        if dtype != "bf16":
            case["dtype"] = dtype
        flop = 10 * batch * heads * s * s * d * (0.5 if causal else 1)
        tried = {}
        for setting in CAUSAL if causal else FULL:
            tried[setting] = milliseconds(kernel.launcher(*tensors, causal=causal, **options_of(setting)), 4, 0.01, 1)
        setting = min(tried, key=tried.get)
        launcher = lambda **more: kernel.launcher(*tensors, causal=causal, **options_of(setting), **more)
        candidates = {"ours": launcher(), "any-order": launcher(any_order=True)}
        theirs = {}
        for name, backend in PEERS.items():
            try:
                call = peer(backend, q, k, v, d_out, causal)
                if name == "cudnn":
                    theirs[name] = call()
                candidates[name] = call
            except RuntimeError as refusal:
                self.say("peer", name, "refuses:", str(refusal)[:100])
        times = {n: milliseconds(f, 2, 0.01, 1) if n == "flash-attention-2" else milliseconds(f)
                 for n, f in candidates.items()}
        rates = {n: round(flop / t / 1e9, 1) for n, t in times.items()}
        best = min((n for n in PEERS if n in times), key=times.get)
        candidates["ours"]()
        torch.cuda.synchronize()
        group = heads // kv_heads
        errors = {}
        if s * s * group <= 4096 * 4096 and best in theirs:
            some = [x[:1, :, :h].contiguous() for x, h in ((q, group), (k, 1), (v, 1), (d_out, group))]
            seen = attention_check.mask_of(s, s, causal, (-1, -1))
            _, _, ref = attention_backward_check.gradients(*some[:3], seen, some[3], True)
            for name, grads in (("error", found), ("peer_error", [x.transpose(1, 2) for x in theirs[best]])):
                errors[name] = float("%.3e" % max((x[:1, :, :h].float() - r).abs().max().item()
                                                  for x, r, h in zip(grads, ref, (group, 1, 1))))
        ratio = times[best] / times["ours"]
        self.write("attention-backward", bench="attention-backward", case=case, ours=rates["ours"], peer=rates[best],
                   peer_name=best, unit="TFLOP/s", ratio=round(ratio, 3), **errors, any_order=rates["any-order"],
                   any_order_ratio=round(times[best] / times["any-order"], 3),
                   others={n: rates[n] for n in PEERS if n in rates}, build=label, setting=options_of(setting),
                   tried={str(k): round(flop / t / 1e9, 1) for k, t in tried.items()}, **self.stamp)
        self.say(f"{case} {rates} ratio {ratio:.3f} {setting} {[round(flop / t / 1e9) for t in tried.values()]} {errors}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--builds", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--commit", default="")
    parser.add_argument("--seconds", type=float, default=600, help="begins no row after this")
    parser.add_argument("--processes", type=int, default=8, help="that check side by side")
    parser.add_argument("--parts", nargs="+", default=[*(f"{d}-{s}" for d in (128, 64) for s in SIZES), "others"])
    options = parser.parse_args()
    torch.manual_seed(time.time_ns() % (1 << 31))
    p = Program(options)
    memcheck = p.memcheck(p.kernels)
    p.check()
    memcheck.wait()
    p.say("memcheck", open(f"{options.out}/memcheck.txt").read().splitlines()[-3:])
    for part in options.parts:
        for causal in (False, True):
            if part != "others":
                d, s = part.split("-")
                p.row(f"bf16_d{d}", int(s), causal)
                continue
            p.row("bf16_d128", 4096, causal, heads=64, kv_heads=8, batch=2)
            for label in p.kernels:
                if label.startswith("softcap"):
                    p.capped(label, 4096, causal)
                elif label not in ("bf16_d128", "bf16_d64"):
                    p.row(label, 4096, causal)
    p.say("done")


if __name__ == "__main__":
    main()
