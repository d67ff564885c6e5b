"""Times attention over a paged cache: decode and verification in bytes a second against a device copy, prefill in TFLOP/s
against torch. attention_paged.py FOLDER OUT COMMIT [decode] [prefill]: the folder of attention_paged_build.sh, where to put
the JSON lines, the commit of the kernels."""

import datetime
import json
import statistics
import sys

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from attention_paged_driver import Cache, Kernels, Step, large

DEVICE = "cuda"


def timed(run, repeats=15, warm=3):
    """Median seconds of a captured graph of `run`."""
    run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    for _ in range(warm):
        graph.replay()
    times = []
    for _ in range(repeats):
        a, b = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        a.record()
        graph.replay()
        b.record()
        b.synchronize()
        times.append(a.elapsed_time(b) / 1e3)
    return statistics.median(times)


def copy_bandwidth():
    """Bytes read and written a second by a device copy of 4 GiB."""
    a = torch.empty(1 << 30, dtype=torch.int32, device=DEVICE).random_()
    b = torch.empty_like(a)
    times = []
    for _ in range(8):
        x, y = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        x.record()
        b.copy_(a)
        y.record()
        y.synchronize()
        times.append(x.elapsed_time(y) / 1e3)
    return 2 * a.numel() * 4 / statistics.median(times)


def cached_steps(kernels, batch, length, heads, group, width, page, rows, tile, slots, layers, blocks=None):
    per = -(-length // page)
    cache = Cache(batch * per, layers, heads, page, width)
    table = torch.randperm(batch * per, device=DEVICE, dtype=torch.int32).reshape(batch, per)
    step = Step(kernels, cache, table, [length] * batch, [rows] * batch, group, tile, slots=slots, blocks=blocks)
    step.make_plan()
    q = torch.randn(batch * rows, heads * group * width, device=DEVICE).bfloat16()
    out = torch.empty_like(q)
    return cache, step, q, out


def decode(kernels, copy, batch, length, heads, group, width, page, rows, tile, slots, note=""):
    per_layer = 2 * batch * length * heads * width * 2
    layers = max(2, min(32, -(-(1 << 28) // per_layer)))  # more than the L2 cache
    cache, step, q, out = cached_steps(kernels, batch, length, heads, group, width, page, rows, tile, slots, layers)

    def run():
        for layer in range(layers):
            step.attend(q, out, layer)

    seconds = timed(run) / layers
    alone = timed(lambda: [step.attend(q, out, layer, merge=False) for layer in range(layers)]) / layers
    plan = timed(lambda: [step.make_plan() for _ in range(8)]) / 8
    moved = per_layer + 2 * q.numel() * 2
    rate = moved / seconds
    result = {"batch": batch, "context": length, "heads": heads * group, "kv_heads": heads, "d": width, "page": page,
              "rows": rows, "tile": tile, "slots": slots}
    print(f"{note} {result} {seconds * 1e6:.1f} us ({alone * 1e6:.1f} without merge), {rate / 1e12:.3f} TB/s, {rate / copy:.3f} of copy; plan {plan * 1e6:.1f} us; {step.header()}",
          flush=True)
    return result, seconds, rate


def prefill(kernels, length, batch, heads, group, width):
    """Causal attention of whole sequences. Returns the case, TFLOP/s by tile, and those of torch."""
    flop = 4 * batch * heads * group * width * (length * (length + 1) / 2)
    case = {"d": width, "s": length, "b": batch, "h": heads * group, "h_kv": heads, "page": 16}
    ours, peers = {}, {}
    for tile in (64, large(width)):
        cache, step, q, out = cached_steps(kernels, batch, length, heads, group, width, 16, length, tile, 0, 1)
        ours[tile] = flop / timed(lambda: step.attend(q, out, 0), 7, 2) / 1e12
        del cache, step
        torch.cuda.empty_cache()
    qs = q.reshape(batch, length, heads * group, width).transpose(1, 2)
    k = torch.randn(batch, heads, length, width, device=DEVICE).bfloat16()
    v = torch.randn_like(k)
    for name, backend in (("cudnn", SDPBackend.CUDNN_ATTENTION), ("flash-attention-2", SDPBackend.FLASH_ATTENTION)):
        with sdpa_kernel(backend):
            peers[name] = flop / timed(lambda: torch.nn.functional.scaled_dot_product_attention(
                qs, k, v, is_causal=True, enable_gqa=True), 7, 2) / 1e12
    print("prefill", case, *(f"tile {t}: {r:.0f}" for t, r in ours.items()), *(f"{n} {r:.0f}" for n, r in peers.items()), "TFLOP/s",
          flush=True)
    return case, ours, peers


def main():
    folder, target, commit = sys.argv[1:4]
    kernels = Kernels(folder)
    copy = copy_bandwidth()
    print(f"copy {copy / 1e12:.3f} TB/s")
    torch.cuda.empty_cache()
    only = sys.argv[4:] or ["decode", "prefill"]
    shapes = [  # batch, context, key heads, group, width, page, rows, tile, slots
        (32, 32768, 8, 8, 128, 16, 1, 16, 1024),
        (1, 8192, 8, 8, 128, 16, 1, 16, 1024),
        (1, 131072, 8, 8, 128, 16, 1, 16, 1024),
        (64, 576, 8, 4, 64, 16, 1, 16, 1024),
        (256, 576, 8, 4, 64, 16, 1, 16, 1024),
        (32, 32768, 8, 8, 128, 16, 8, 64, 1024),
        (1, 8192, 8, 8, 128, 16, 8, 64, 1024),
        (1, 131072, 8, 8, 128, 16, 8, 64, 1024),
        (64, 576, 8, 4, 64, 16, 8, 64, 1024),
        (64, 576, 8, 4, 64, 16, 4, 16, 1024),
    ]
    properties = {"device": torch.cuda.get_device_name(), "commit": commit, "date": str(datetime.date.today())}
    with open("/proc/driver/nvidia/version") as f:
        properties["driver"] = next((w for w in f.readline().split() if w[0].isdigit() and w.count(".") == 2), "")
    lines = {}
    for shape in shapes if "decode" in only else ():
        result, seconds, rate = decode(kernels, copy, *shape)
        bench = "attention-decode-bandwidth" if shape[6] == 1 else "attention-verify-bandwidth"
        lines.setdefault(bench, []).append(
            {"bench": bench, "case": result, "ours": round(rate / 1e12, 3), "peer": round(copy / 1e12, 3), "peer_name": "device copy",
             "unit": "TB/s", "ratio": round(rate / copy, 3), "microseconds": round(seconds * 1e6, 1), **properties})
        torch.cuda.empty_cache()
    for width, heads, group in ((128, 4, 4), (64, 8, 4), (128, 16, 1)) if "prefill" in only else ():
        for length in (512, 2048, 16384):
            case, ours, peers = prefill(kernels, length, max(1, 16384 // length), heads, group, width)
            torch.cuda.empty_cache()
            bench = "attention-paged-prefill"
            name = max(peers, key=peers.get)
            lines.setdefault(bench, []).extend(
                {"bench": bench, "case": {**case, "tile": tile}, "ours": round(rate), "peer": round(peers[name]), "peer_name": name,
                 "unit": "TFLOP/s", "ratio": round(rate / peers[name], 3),
                 "others": {n: round(r) for n, r in peers.items()}, **properties} for tile, rate in ours.items())
    for name, objects in lines.items():
        with open(f"{target}/{name}.jsonl", "w") as f:
            for o in objects:
                f.write(json.dumps(o) + "\n")


if __name__ == "__main__":
    main()
