#!/usr/bin/env python3
"""Times the matrix-product kernels beside cuBLAS (through torch) and the measured copy bandwidth, in one process.

    python3 products.py FOLDER OUT COMMIT [decode|prefill|head|fp8|fp8-forms ...]

FOLDER holds products.fatbin, products_head.fatbin and products_fp8.fatbin (products_build.sh). Decoding: one product after the other in a CUDA
graph that goes through 600 MB of weights, launched programmatically (and plainly: plain_microseconds).

fp8: e4m3 weights beside our own bf16 ones. fp8-forms: prints the time of every form, of which the catalog's are made.
Writes OUT/gemm-prefill.jsonl, OUT/gemm-decode-bandwidth.jsonl, OUT/row-invariance-cost.jsonl, OUT/gemm-fp8.jsonl.
"""

import datetime
import json
import os
import subprocess
import statistics
import sys
import time

import torch

from products_driver import Family, pad

SHAPES = {  # name: (outputs, inputs, epilogue), of Llama-3.2-1B and of 8B
    "1b-qkv": (3072, 2048, "store"), "1b-o": (2048, 2048, "add"), "1b-gate-up": (16384, 2048, "gated"),
    "1b-down": (2048, 8192, "add"), "8b-qkv": (6144, 4096, "store"), "8b-o": (4096, 4096, "add"),
    "8b-gate-up": (28672, 4096, "gated"), "8b-down": (4096, 14336, "add")}


class Results:
    def __init__(self, folder, commit):
        self.folder = folder
        self.common = {"device": torch.cuda.get_device_name(0),
                       "driver": subprocess.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
                                                capture_output=True, text=True).stdout.strip(),
                       "torch": torch.__version__, "commit": commit,
                       "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat()}

    def add(self, bench, case, ours, peer, peer_name, unit, lower_is_better=False, **more):
        ratio = peer / ours if lower_is_better else ours / peer
        row = {"bench": bench, "case": case, "ours": round(ours, 4), "peer": round(peer, 4), "peer_name": peer_name,
               "unit": unit, "ratio": round(ratio, 3), **more, **self.common}
        with open(os.path.join(self.folder, bench + ".jsonl"), "a") as f:
            f.write(json.dumps(row) + "\n")
        print(f"{bench} {case} {ours:.4g} / {peer:.4g} {unit} = {ratio:.3f} {more}", flush=True)


def elapsed(run, repeats):
    """Seconds of each of `repeats` runs, by events."""
    events = [torch.cuda.Event(enable_timing=True) for _ in range(repeats + 1)]
    events[0].record()
    for i in range(repeats):
        run()
        events[i + 1].record()
    torch.cuda.synchronize()
    return [events[i].elapsed_time(events[i + 1]) / 1e3 for i in range(repeats)]


def graph_of(run):
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        run()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            run()
    torch.cuda.synchronize()
    return graph


def copy_bandwidth():
    a = torch.empty(1 << 30, dtype=torch.int32, device="cuda").random_()
    b = torch.empty_like(a)
    b.copy_(a)
    return 2 * a.numel() * 4 / statistics.median(elapsed(lambda: b.copy_(a), 5))


def weights_of(n, k, least_bytes):
    """Enough copies of a random W that no cache holds them."""
    size = pad(n) * k
    copies = max(2, -(-least_bytes // (2 * size)))
    w = torch.empty(copies, size, dtype=torch.bfloat16, device="cuda")
    w[0].normal_(0, k ** -0.5)
    for i in range(1, copies):
        w[i] = w[0]
    return w


def output_of(epilogue, rows, n):
    if epilogue == "add":
        return torch.zeros(rows, n, device="cuda")
    if epilogue == "logits":
        return torch.zeros(rows, pad(n), device="cuda")
    return torch.zeros(rows, n // 2 if epilogue == "gated" else n, dtype=torch.bfloat16, device="cuda")


def decode_time(family, entry, epilogue, n, k, rows, w, programmatic):
    """Seconds of one product in a graph that goes through all copies of W."""
    x = torch.randn(rows + 64, k, device="cuda").bfloat16()
    map_ = family.describe(x)
    out = output_of(epilogue, rows, n)
    count = torch.full((1,), rows, dtype=torch.int32, device="cuda")
    torch.cuda.synchronize()

    def once():
        for copy in w:
            family.product(entry, map_, copy, out, count, k, n, programmatic=programmatic)

    graph = graph_of(once)
    graph.replay()
    return statistics.median(elapsed(graph.replay, 5)) / len(w)


def cublas_decode_time(n, k, rows, weights):
    """Seconds of torch.matmul over the same bytes, in a graph: the freest peer, which may split k as it likes."""
    x = torch.randn(rows, k, device="cuda").bfloat16()
    out = torch.empty(rows, n, dtype=torch.bfloat16, device="cuda")

    def once():
        for copy in weights:
            torch.matmul(x, copy[:n * k].view(n, k).T, out=out)

    graph = graph_of(once)
    graph.replay()
    return statistics.median(elapsed(graph.replay, 5)) / len(weights)


def decode(family, results, copy, rows_list=(1, 8, 16, 32, 64, 128, 256)):
    for name, (n, k, epilogue) in list(SHAPES.items()) + [("1b-head", (128256, 2048, "logits"))]:
        w = weights_of(n, k, 600 << 20)
        for rows in rows_list:
            if epilogue == "logits" and rows > 64:
                continue
            entry = family.pick(epilogue, rows, n)
            plain = decode_time(family, entry, epilogue, n, k, rows, w, False)
            dependent = decode_time(family, entry, epilogue, n, k, rows, w, True)
            bytes_ = 2 * n * k
            case = {"matrix": name, "n": n, "k": k, "rows": rows, "epilogue": epilogue}
            results.add("gemm-decode-bandwidth", case, bytes_ / dependent / 1e9, copy / 1e9, "copy bandwidth",
                        "GB/s of weights", kernel=entry.name, microseconds=round(dependent * 1e6, 2),
                        plain_microseconds=round(plain * 1e6, 2))
            if rows in (1, 8, 64, 256) and epilogue != "logits":
                free = cublas_decode_time(n, k, rows, w)
                results.add("row-invariance-cost", case, dependent * 1e6, free * 1e6,
                            "torch.matmul (cuBLAS, free to split k), bf16 out", "us", lower_is_better=True,
                            kernel=entry.name, plain_microseconds=round(plain * 1e6, 2))
        del w


def prefill(family, results, rows_list=(512, 4096, 8192, 16384)):
    for name, (n, k, epilogue) in SHAPES.items():
        w = weights_of(n, k, 1)[0]
        rowmajor = (torch.randn(n, k, device="cuda") * k ** -0.5).bfloat16()
        for rows in rows_list:
            x = torch.randn(rows, k, device="cuda").bfloat16()
            map_ = family.describe(x)
            count = torch.full((1,), rows, dtype=torch.int32, device="cuda")
            peer_out = torch.empty(rows, n, dtype=torch.bfloat16, device="cuda")
            runs = {"peer": lambda: torch.matmul(x, rowmajor.T, out=peer_out)}
            residual = torch.zeros(rows, n, device="cuda") if epilogue == "add" else None

            def fused_peer():
                torch.matmul(x, rowmajor.T, out=peer_out)
                if epilogue == "add":
                    residual.add_(peer_out)
                else:
                    torch.mul(torch.nn.functional.silu(peer_out[:, :n // 2]), peer_out[:, n // 2:])

            if epilogue != "store":
                runs["peer-" + epilogue] = fused_peer
            for kind in dict.fromkeys(("store", epilogue)):
                entry = family.pick(kind, rows, n)
                out = output_of(kind, rows, n)
                runs[kind] = (lambda entry=entry, out=out: family.product(entry, map_, w, out, count, k, n))
            repeats = max(3, min(40, int(4e-3 / (2 * rows * n * k / 6e14))))
            times = {kind: [] for kind in runs}
            for _ in range(3):
                for kind, run in runs.items():
                    run()
                    time.sleep(0.015)
                    times[kind].append(sum(elapsed(run, repeats)) / repeats)
            best = {kind: statistics.median(t) for kind, t in times.items()}
            flops = 2 * rows * n * k / 1e12
            for kind in dict.fromkeys(("store", epilogue)):
                more = {"kernel": family.pick(kind, rows, n).name}
                if kind != "store":  # against the product and torch's own element-wise kernels after it
                    more["peer_with_epilogue"] = round(flops / best["peer-" + kind], 1)
                results.add("gemm-prefill", {"matrix": name, "n": n, "k": k, "rows": rows, "epilogue": kind},
                            flops / best[kind], flops / best["peer"], "torch.matmul (cuBLAS), bf16 out", "TFLOP/s", **more)


def fp8_weights(n, k, least_bytes):
    """As weights_of, in e4m3."""
    size = pad(n) * k
    copies = max(2, -(-least_bytes // size))
    # codes below 0x70 of either sign: any order of them is as good as another
    w = torch.randint(0, 256, (copies, size), dtype=torch.uint8, device="cuda") & 0x9F
    return w, torch.full((pad(n),), k ** -0.5, device="cuda")


def fp8_time(family, entry, n, k, rows, w, scales):
    """Seconds of one product in a graph that goes through all copies of W."""
    x = torch.randn(rows + 64, k, device="cuda").bfloat16()
    map_ = family.describe(x)
    out = output_of(entry.epilogue, rows, n)
    count = torch.full((1,), rows, dtype=torch.int32, device="cuda")
    torch.cuda.synchronize()

    def once():
        for copy in w:
            family.product(entry, map_, copy, out, count, k, n, programmatic=True, scales=scales)

    graph = graph_of(once)
    graph.replay()
    return statistics.median(elapsed(graph.replay, 5)) / len(w)


def fp8(family, results, rows_list=(1, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 8192)):
    for name, (n, k, epilogue) in SHAPES.items():
        for rows in rows_list:
            least = 400 << 20 if rows <= 256 else 1
            w = weights_of(n, k, least)
            peer_entry = family.pick(epilogue, rows, n)
            peer = decode_time(family, peer_entry, epilogue, n, k, rows, w, True)
            del w
            w, scales = fp8_weights(n, k, least)
            entry = family.pick_fp8(epilogue, rows, n, k)
            ours = fp8_time(family, entry, n, k, rows, w, scales)
            results.add("gemm-fp8", {"matrix": name, "n": n, "k": k, "rows": rows, "epilogue": epilogue}, ours * 1e6,
                        peer * 1e6, "our bf16 weights", "us", lower_is_better=True,
                        kernel=entry.name, peer_kernel=peer_entry.name)
            del w


def fp8_forms(family):
    for name, (n, k, epilogue) in SHAPES.items():
        for rows in (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 8192):
            least = 250 << 20 if rows <= 256 else 1
            w = weights_of(n, k, least)
            peer = decode_time(family, family.pick(epilogue, rows, n), epilogue, n, k, rows, w, True)
            del w
            w, scales = fp8_weights(n, k, least)
            times = {}
            for entry in family.fp8.entries:
                if entry.epilogue == epilogue and min(rows / 16, 256) <= entry.rows < max(16, 2 * rows + 1):
                    times[f"r{entry.rows}n{entry.outputs}"] = fp8_time(family, entry, n, k, rows, w, scales) * 1e6
            best = sorted(times.items(), key=lambda t: t[1])
            print("FORMS", json.dumps({"matrix": name, "n": n, "k": k, "rows": rows, "bf16": round(peer * 1e6, 2),
                                       **{kind: round(t, 2) for kind, t in best}}), flush=True)
            del w


def head(family, results, copy):
    n, k = 128256, 2048
    w = weights_of(n, k, 1)
    rowmajor = (torch.randn(n, k, device="cuda") * k ** -0.5).bfloat16()
    blocks = -(-n // 128)
    for rows in (1, 8, 64, 128, 256, 4096):
        x = torch.randn(rows, k, device="cuda").bfloat16()
        map_ = family.describe(x)
        count = torch.full((1,), rows, dtype=torch.int32, device="cuda")
        ints = [torch.zeros(rows, dtype=torch.int32, device="cuda") for _ in range(3)]
        lp = torch.zeros(rows, device="cuda")
        workspace = torch.zeros(32 * rows * (blocks + 1), dtype=torch.uint8, device="cuda")

        def seconds(run):
            graph = graph_of(run)
            graph.replay()
            return statistics.median(elapsed(graph.replay, 7))

        if rows in (64, 4096):
            out = torch.empty(rows, n, dtype=torch.bfloat16, device="cuda")
            peer = seconds(lambda: torch.matmul(x, rowmajor.T, out=out))
            entry = family.of("score")[0]
            ours = seconds(lambda: family.score(entry, map_, w[0], count, ints[0], workspace, lp, ints[1], ints[2], k, n,
                                                programmatic=True))
            flops = 2e-12 * rows * n * k
            results.add("gemm-prefill", {"matrix": "1b-head", "n": n, "k": k, "rows": rows, "epilogue": "score"},
                        flops / ours, flops / peer, "torch.matmul (cuBLAS), bf16 out", "TFLOP/s", kernel=entry.name,
                        tokens_per_second=round(rows / ours))
        if rows > 256:
            continue
        for temperature in (0.0, 1.0):
            draws = torch.randint(0, 1 << 30, (rows, 8), dtype=torch.int32, device="cuda")
            draws[:, 0] = torch.tensor(temperature).view(torch.int32).item()
            entry = family.pick("choose", rows, n)
            t = seconds(lambda: family.choose(entry, map_, w[0], count, draws, workspace, ints[0], lp, ints[2], k, n,
                                              programmatic=True))
            results.add("gemm-decode-bandwidth", {"matrix": "1b-head", "n": n, "k": k, "rows": rows, "epilogue": "choose",
                                                  "temperature": temperature},
                        2e-9 * n * k / t, copy / 1e9, "copy bandwidth", "GB/s of weights", kernel=entry.name,
                        microseconds=round(t * 1e6, 2))


def main():
    family = Family(sys.argv[1])
    results = Results(sys.argv[2], sys.argv[3])
    parts = sys.argv[4:] or ["decode", "prefill", "head"]
    copy = copy_bandwidth()
    print(f"copy {copy / 1e9:.0f} GB/s", flush=True)
    torch.cuda.empty_cache()
    if "decode" in parts:
        decode(family, results, copy)
    if "head" in parts:
        head(family, results, copy)
    if "fp8-forms" in parts:
        fp8_forms(family)
    if "fp8" in parts:
        fp8(family, results)
    if "prefill" in parts:
        prefill(family, results)


if __name__ == "__main__":
    main()
