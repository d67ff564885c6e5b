"""Checks and times builds of the attention forward kernel beside PyTorch's cuDNN and FlashAttention-2, in one run.

    attention_build.sh BUILDS
    attention_forward.py --list BUILDS/list.txt --out DIR [--seconds N] [--commit HASH] [--parts PART...]

The list holds builds, one a line: label image kernel d dv dtype check extra, where check is full, quick or none, and extra
none, softcap or sinks. Parts are forward (the table), others (other heads, head sizes, types), ablation-D for a head size,
multimodal; all of them unless said. Writes
DIR/attention-forward.jsonl, attention-ablation.jsonl, attention-multimodal.jsonl, and checks.jsonl and explore.jsonl,
which are not kept.

Timing: 16,384 tokens in all, 2048 columns of heads; random data; each candidate first rests, then runs twice to warm
up, then several times, each between two device events; the median counts. Rests keep the card off its power limit;
`sustained` figures are taken without them. A candidate's time includes the launch that writes its descriptors, unless
said (`prepared`).
"""

import argparse
import collections
import concurrent.futures
import itertools
import json
import multiprocessing
import statistics
import subprocess
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

import attention_check
from attention_driver import Kernel

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
SIZES = [1024, 2048, 4096, 8192, 16384]
TOKENS = 16384


def product(d, dv, tokens_k, mask):
    """The kernel that attention.cuh names for a shape; mask: all, causal or visible."""
    if d == 64:
        return "d64_r192_k112" if tokens_k >= 8192 else "d64_r256_k64"
    if d == 128:
        wide = mask == "all" and tokens_k >= 2048 or mask == "causal" and tokens_k >= 8192
        return "d128_r192_k80" if wide else "d128_r128_k128"
    return {(96, 96): "d96_r192_k96", (192, 128): "d192x128_r128_k112", (256, 256): "d256_r128_k80"}[d, dv]


# Builds with the same keys per block and parts: the same bits.
SAME_BITS = [
    ["d128_r128_k128", "d128_no_turns", "d128_turn_0"],
    ["d64_r256_k64", "d64_no_turns", "d64_turn_0"],
]

def variants(base, d):
    """What is varied at head sizes that have one kernel."""
    return [("lazy rescale", "on", base), ("lazy rescale", "off", f"{d}_no_lazy"),
            *(("emulated sixteenths", n, f"{d}_emulated_{n}") for n in (2, 4, 8)), ("ping-pong", "off", f"{d}_no_turns"),
            ("softcap", "on", f"softcap_{base}"), ("softcap", "on, tanh by exponentials", f"{d}_softcap_exact"),
            ("sinks", "on", f"sinks_{base}")]


# For each head size: what is varied, its value, the build; the first is what the others are held against.
ABLATION = {
    96: variants("d96_r192_k96", "d96"),
    192: variants("d192x128_r128_k112", "d192x128"),
    256: variants("d256_r128_k80", "d256"),
    128: [("lazy rescale", "on", "d128_r128_k128"), ("lazy rescale", "off", "d128_no_lazy"),
          ("emulated sixteenths", 2, "d128_emulated_2"), ("emulated sixteenths", 4, "d128_emulated_4"),
          ("emulated sixteenths", 8, "d128_emulated_8"), ("ping-pong", "off", "d128_no_turns"),
          ("turn handed over after products", 0, "d128_turn_0"), ("parts", 1, "d128_parts_1"),
          ("rows x keys", "128x160", "d128_r128_k160"), ("rows x keys", "192x80", "d128_r192_k80"),
          ("softcap", "on", "softcap_d128_r128_k128"), ("softcap", "on, tanh by exponentials", "d128_softcap_exact"),
          ("sinks", "on", "sinks_d128_r128_k128")],
    64: [("lazy rescale", "on", "d64_r256_k64"), ("lazy rescale", "off", "d64_no_lazy"),
         ("emulated sixteenths", 2, "d64_emulated_2"), ("emulated sixteenths", 4, "d64_emulated_4"),
         ("emulated sixteenths", 8, "d64_emulated_8"), ("ping-pong", "off", "d64_no_turns"),
         ("turn handed over after products", 0, "d64_turn_0"), ("parts", 2, "d64_parts_2"),
         ("rows x keys", "192x128", "d64_r192_k128"), ("rows x keys", "192x112", "d64_r192_k112"),
         ("rows x keys", "128x128", "d64_r128_k128"), ("softcap", "on", "softcap_d64_r256_k64"),
         ("softcap", "on, tanh by exponentials", "d64_softcap_exact"), ("sinks", "on", "sinks_d64_r256_k64")],
}

Build = collections.namedtuple("Build", "label image kernel d dv dtype check extra")


def check_build(build, seed):
    """What attention_check says of a build: a summary, or words."""
    torch.manual_seed(seed)
    kernel = Kernel(build.image, build.kernel)
    if kernel.local_bytes:
        return f"{kernel.local_bytes} bytes of local memory"
    try:
        return attention_check.check(kernel, build.d, build.dv, DTYPES[build.dtype], build.check == "quick", build.extra)
    except attention_check.Failure as failure:
        return str(failure)


def beside(kind, heads):
    """What a build of a kind gets besides its tensors."""
    if kind == "softcap":
        return dict(softcap=50.0)
    if kind == "sinks":
        return dict(sinks=torch.randn(heads, device="cuda"))
    return {}


def milliseconds(function, repeats=7, rest=0.04):
    torch.cuda.synchronize()
    time.sleep(rest)
    events = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(repeats)]
    function()
    function()
    for begin, end in events:
        begin.record()
        function()
        end.record()
    torch.cuda.synchronize()
    return statistics.median(begin.elapsed_time(end) for begin, end in events)


def sustained(function, estimate, span=0.25):
    count = max(3, int(span * 1000 / estimate))
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    for _ in range(count // 3):
        function()
    begin.record()
    for _ in range(count):
        function()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / count


def inputs(b, s, heads, kv_heads, d, dv, dtype):
    make = lambda h, w: torch.randn(b, s, h, w, device="cuda", dtype=torch.float32).to(dtype)
    return make(heads, d), make(kv_heads, d), make(kv_heads, dv)


def peer(backend, q, k, v, causal):
    qt, kt, vt = (x.transpose(1, 2) for x in (q, k, v))
    grouped = q.shape[2] != k.shape[2]

    def call():
        with sdpa_kernel(backend), torch.no_grad():
            return torch.nn.functional.scaled_dot_product_attention(qt, kt, vt, is_causal=causal, enable_gqa=grouped)

    return call


PEERS = {"cudnn": SDPBackend.CUDNN_ATTENTION, "flash-attention-2": SDPBackend.FLASH_ATTENTION}


def peers(q, k, v, causal):
    found = {}
    for name, backend in PEERS.items():
        call = peer(backend, q, k, v, causal)
        try:
            call()
            found[name] = call
        except RuntimeError as refusal:
            print("peer", name, "refuses:", str(refusal)[:100], flush=True)
    return found


class Program:
    def __init__(self, options):
        self.options = options
        self.began = time.time()
        self.builds = [Build(l[0], l[1], l[2], int(l[3]), int(l[4]), *l[5:])
                       for l in (line.split() for line in open(options.list)) if l and not l[0].startswith("#")]
        self.kernels = {b.label: Kernel(b.image, b.kernel) for b in self.builds}
        self.by_label = {b.label: b for b in self.builds}
        self.right = {}
        self.times = {}
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

    def result(self, file, case, ours, peer_value, peer_name, **more):
        self.write(file, bench=file, case=case, ours=round(ours, 1), peer=round(peer_value, 1), peer_name=peer_name,
                   unit="TFLOP/s", ratio=round(ours / peer_value, 3), **more, **self.stamp)

    def check(self):
        """All builds, side by side in processes of their own."""
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(self.options.processes, mp_context=context) as pool:
            wanted = [b for b in self.builds if b.check != "none"]
            wanted.sort(key=lambda b: b.check != "full")
            seeds = torch.randint(1 << 31, (len(wanted),)).tolist()
            for b, result in zip(wanted, pool.map(check_build, wanted, seeds)):
                self.right[b.label] = result if isinstance(result, dict) else False
                self.say(b.label, "right" if self.right[b.label] else "WRONG", result)
                self.write("checks", build=b.label, result=result)

    def same_bits(self):
        for labels in SAME_BITS:
            labels = [l for l in labels if l in self.kernels]
            if len(labels) < 2:
                continue
            d = self.by_label[labels[0]].d
            q, k, v = inputs(2, 777, 4, 2, d, d, torch.bfloat16)
            try:
                first, _ = attention_check.run(self.kernels[labels[0]], q, k, v, causal=True)
                for label in labels[1:]:
                    other, _ = attention_check.run(self.kernels[label], q, k, v, causal=True)
                    attention_check.same(f"{label} against {labels[0]}", first, other)
                self.say("same bits:", labels)
            except attention_check.Failure as failure:
                self.say("WRONG", failure)

    def tensors(self, d, dv, s, dtype, heads=None, kv_heads=None, b=None):
        heads = heads or 2048 // d
        q, k, v = inputs(b or max(1, TOKENS // s), s, heads, kv_heads or heads, d, dv, dtype)
        out = torch.empty(q.shape[:-1] + (dv,), dtype=dtype, device="cuda")
        lse = torch.empty(q.shape[0], q.shape[2], s, device="cuda")
        return q, k, v, out, lse

    @staticmethod
    def flop(q, v, causal):
        b, s, h, d = q.shape
        return 2 * b * h * s * s * (d + v.shape[-1]) * (0.5 if causal else 1)

    def explore(self, d, dv, sizes, labels, repeats=5, rest=0.03):
        for s in sizes:
            tensors = self.tensors(d, dv, s, torch.bfloat16)
            q, k, v, out, lse = tensors
            for causal in (False, True):
                flop = self.flop(q, v, causal)
                row = {n: flop / milliseconds(f, repeats, rest) / 1e9 for n, f in peers(q, k, v, causal).items()}
                for label in labels:
                    name, _, budget = label.partition("@")
                    if name not in self.kernels or self.right.get(name) is False or (budget and not causal):
                        continue
                    more = dict(l2_bytes=int(budget) << 20) if budget else {}
                    more.update(beside(self.by_label[name].extra, q.shape[2]))
                    launch = self.kernels[name].launcher(*tensors, causal=causal, **more)
                    row[label] = flop / milliseconds(launch, repeats, rest) / 1e9
                best = max(row, key=row.get)
                self.say(f"d={d} s={s} causal={int(causal)}",
                         " ".join(f"{n}={x:.0f}" + ("*" if n == best else "") for n, x in row.items()))
                self.times[d, s, causal] = row
                self.write("explore", d=d, s=s, causal=causal, tflops={n: round(x, 1) for n, x in row.items()})

    def forward(self, d, dv, s, causal, dtype="bf16", heads=None, kv_heads=None, b=None):
        """One row of the forward table. Errors: greatest against fp32 over the first sequence's first two heads."""
        label = ("" if dtype == "bf16" else dtype + "_") + product(d, dv, s, "causal" if causal else "all")
        tensors = self.tensors(d, dv, s, DTYPES[dtype], heads, kv_heads, b)
        q, k, v, out, lse = tensors
        case = dict(d=d, s=s, causal=causal, b=q.shape[0], h=q.shape[2], h_kv=k.shape[2])
        if dv != d:
            case["d_v"] = dv
        if dtype != "bf16":
            case["dtype"] = dtype
        if not self.right.get(label):
            self.say(f"{case} {label} is not right: not timed")
            return
        flop = self.flop(q, v, causal)
        launch = self.kernels[label].launcher(*tensors, causal=causal)
        candidates = {"ours": launch, "prepared": lambda: launch(False), **peers(q, k, v, causal)}
        rounds = {n: [] for n in candidates}
        for _ in range(3):
            for n, f in candidates.items():
                rounds[n].append(milliseconds(f))
        times = {n: statistics.median(t) for n, t in rounds.items()}
        rates = {n: round(flop / t / 1e9, 1) for n, t in times.items()}
        best = min((n for n in PEERS if n in times), key=times.get)
        hot, hot_peer = sustained(launch, times["ours"]), sustained(candidates[best], times[best])
        launch()
        theirs = candidates[best]().transpose(1, 2)
        torch.cuda.synchronize()
        group = 2 * k.shape[2] // q.shape[2] or 1
        ref, _ = attention_check.reference(q[:1, :, :2], k[:1, :, :group], v[:1, :, :group],
                                           attention_check.mask_of(s, s, causal, (-1, -1)))
        error, peer_error = (float(f"{(x[:1, :, :2].float() - ref).abs().max().item():.3e}") for x in (out, theirs))
        ratio = times[best] / times["ours"]
        self.result("attention-forward", case, flop / times["ours"] / 1e9, flop / times[best] / 1e9, best, error=error,
                    peer_error=peer_error, build=label, prepared=rates["prepared"],
                    others={n: rates[n] for n in PEERS if n in rates},
                    sustained=dict(ours=round(flop / hot / 1e9, 1), peer=round(flop / hot_peer / 1e9, 1),
                                   ratio=round(hot_peer / hot, 3)))
        self.say(f"FORWARD {case} {label} {rates} ratio {ratio:.3f} sustained {flop / hot / 1e9:.0f} "
                 f"{hot_peer / hot:.3f} error {error} {peer_error}")

    def ablation(self, d, s=4096):
        """Speed against the base build; relative error (Frobenius) against fp32 at s=2048."""
        groups = ABLATION[d]
        base = groups[0][2]
        dv = self.by_label[base].dv
        self.explore(d, dv, [s], [label for _, _, label in groups])
        for causal in (False, True):
            row = self.times.get((d, s, causal), {})
            for what, value, label in groups:
                if label not in row or base not in row:
                    continue
                self.result("attention-ablation", dict(d=d, s=s, causal=causal, option=what, value=value,
                                                       **({} if dv == d else dict(d_v=dv))), row[label],
                            row[base], f"the kernel with {groups[0][0]} {groups[0][1]}", error=self.error(label, d, dv),
                            build=label)

    def error(self, label, d, dv):
        torch.manual_seed(1)
        q, k, v = inputs(1, 2048, 4, 4, d, dv, torch.bfloat16)
        extra = beside(self.by_label[label].extra, 4)
        out, _ = attention_check.run(self.kernels[label], q, k, v, **extra)
        ref, _ = attention_check.reference(q, k, v, attention_check.mask_of(2048, 2048, False, (-1, -1)), **extra)
        return float(f"{((out.float() - ref).norm() / ref.norm()).item():.4e}")

    def multimodal(self, label, with_peer):
        """Two documents, image blocks of 256 tokens that see themselves whole, text between them causal."""
        b, s, h, d = 2, 8192, 16, 128
        tensors = self.tensors(d, d, s, torch.bfloat16, h, h, b)
        q, k, v, out, lse = tensors
        i = torch.arange(s, device="cuda")
        document = (i >= s // 2).int()
        within = i % 1024
        image = torch.where((within >= 512) & (within < 768), i // 1024, -1)
        end = torch.where(image >= 0, (i // 1024) * 1024 + 768, i + 1)
        visible = torch.stack([document * (s // 2), end], 1).int()
        pairs = (visible[:, 1] - visible[:, 0]).sum().item() * b * h
        visible = visible[None].expand(b, -1, -1).contiguous()
        kernel = self.kernels[label]
        flop = 4 * pairs * d
        ours = milliseconds(kernel.launcher(*tensors, visible=visible))
        dense = milliseconds(kernel.launcher(*tensors, causal=True))
        dense_rate = self.flop(q, v, True) / dense / 1e9
        case = dict(d=d, s=s, b=b, h=h, documents=2, image_tokens=256, against="dense causal")
        self.result("attention-multimodal", case, flop / ours / 1e9, dense_rate, "dense causal, same kernel",
                    build=label)
        self.say(f"MULTIMODAL {label} {flop / ours / 1e9:.0f} on visible pairs; dense causal {dense_rate:.0f}")
        if not with_peer:
            return
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention

        def rule(_b, _h, i, j):
            return ((j <= i) | ((image[i] == image[j]) & (image[i] >= 0))) & (document[i] == document[j])

        qt, kt, vt = (x.transpose(1, 2) for x in (q, k, v))
        blocks = create_block_mask(rule, None, None, s, s, device="cuda")
        flex = torch.compile(flex_attention, dynamic=False)
        theirs_out = flex(qt, kt, vt, block_mask=blocks)
        theirs = milliseconds(lambda: flex(qt, kt, vt, block_mask=blocks))
        kernel(q, k, v, out, lse, visible=visible)
        torch.cuda.synchronize()
        apart = (theirs_out.transpose(1, 2).float() - out.float()).abs().max().item()
        case["against"] = "FlexAttention"
        self.result("attention-multimodal", case, flop / ours / 1e9, flop / theirs / 1e9, "FlexAttention, compiled",
                    build=label, apart=apart)
        self.say(f"FLEX {flop / theirs / 1e9:.0f} ratio {theirs / ours:.2f} apart {apart:.2e}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seconds", type=float, default=600, help="leaves FlexAttention out rather than run longer")
    parser.add_argument("--commit", default="")
    parser.add_argument("--processes", type=int, default=8, help="that check side by side")
    parser.add_argument("--parts", nargs="+", default=["forward", "others", *(f"ablation-{d}" for d in ABLATION),
                                                       "multimodal"])
    options = parser.parse_args()
    torch.manual_seed(time.time_ns() % (1 << 31))
    p = Program(options)
    p.check()
    p.same_bits()
    for part in options.parts:
        if part == "forward":
            for d, s, causal in itertools.product((128, 64), SIZES, (False, True)):
                p.forward(d, d, s, causal)
            for s, causal in itertools.product((4096, 8192), (False, True)):
                p.forward(128, 128, s, causal, heads=64, kv_heads=8, b=2)
        elif part == "others":
            others = (96, 96, "bf16"), (192, 128, "bf16"), (256, 256, "bf16"), (64, 64, "fp16"), (128, 128, "fp16")
            for d, dv, dtype in others:
                p.forward(d, dv, 4096, False, dtype)
                p.forward(d, dv, 4096, True, dtype)
        elif part == "multimodal":
            p.multimodal(product(128, 128, 8192, "causal"), False)
            p.multimodal(product(128, 128, 8192, "visible"), p.left() > 25)
        else:
            p.ablation(int(part.removeprefix("ablation-")))
    p.say("done")


if __name__ == "__main__":
    main()
