"""Checks attention over a paged cache on a GPU: against fp64, FlashAttention's way, and to the bit across decode, chunks of
prefill, tiles, grids, plans, batches and page numbers. attention_paged_check.py FOLDER [seed]: the folder of
attention_paged_build.sh. Exits with 1 when something fails."""

import random
import sys
import time

import torch

from attention_paged_driver import NO_WINDOW, Cache, Kernels, Step, tiles

DEVICE = "cuda"
failures = []
worst = [0.0, ""]


def expect(good, message):
    if not good:
        failures.append(message)
        print("FAILED", message, flush=True)
    return good


def bits(a, b):
    return torch.equal(a.contiguous().view(torch.int16), b.contiguous().view(torch.int16))


def table_for(lengths, page_tokens, pages, generator):
    """Random, distinct page numbers; unused entries point far outside."""
    need = [max(1, -(-l // page_tokens)) for l in lengths]
    order = list(range(pages))
    generator.shuffle(order)
    table = torch.full((max(1, len(lengths)), max([1] + need) + 3), 1 << 30, dtype=torch.int32)
    at = 0
    for i, n in enumerate(need):
        table[i, :n] = torch.tensor(order[at:at + n], dtype=torch.int32)
        at += n
    assert at <= pages
    return table.to(DEVICE)


def gathered(cache, table_row, length, layer):
    """Keys and values [length, heads, width] of a sequence."""
    pages = table_row[:-(-length // cache.page_tokens)].long()
    both = cache.data[pages, layer]  # [n, 2, heads, tokens, width]
    both = both.permute(1, 0, 3, 2, 4).reshape(2, -1, cache.heads, cache.width)[:, :length]
    return both[0], both[1]


def scatter(cache, table_row, layer, keys, values):
    pages = table_row[:-(-keys.shape[0] // cache.page_tokens)].long()
    positions = torch.arange(keys.shape[0], device=DEVICE)
    page = pages[positions // cache.page_tokens]
    cache.data[page, layer, 0, :, positions % cache.page_tokens] = keys
    cache.data[page, layer, 1, :, positions % cache.page_tokens] = values


def mask_of(length, rows, window, visible):
    position = torch.arange(length - rows, length, device=DEVICE)[:, None]
    key = torch.arange(length, device=DEVICE)[None]
    seen = (key <= position) & (key > position - window)
    if visible is not None:
        back = (position - key).clamp(0, 63)
        seen &= ((visible[:, None] >> back) & 1).bool() | (position - key >= 64)
    return seen


def attention(q, k, v, seen, scale, dtype):
    """q [rows, heads, width]; products and softmax in dtype."""
    group = q.shape[1] // k.shape[1]
    k = k.to(dtype).repeat_interleave(group, 1).transpose(0, 1)
    v = v.to(dtype).repeat_interleave(group, 1).transpose(0, 1)
    s = torch.matmul(q.to(dtype).transpose(0, 1) * scale, k.transpose(1, 2)) if dtype != torch.bfloat16 else torch.matmul(
        q.transpose(0, 1), k.transpose(1, 2)) * scale
    s = s.masked_fill(~seen[None], float("-inf"))
    p = torch.softmax(s, -1)
    return torch.matmul(p, v).transpose(0, 1)


def accuracy(kernels, width, heads, group, page_tokens, lengths, rows, window, tile, slots, seed, tree=False, layers=2,
             spread=1.0):
    generator = random.Random(seed)
    torch.manual_seed(seed)
    name = f"width {width} heads {heads} group {group} page {page_tokens} lengths {lengths[:8]} rows {rows[:8]} window {window} tile {tile} slots {slots} tree {tree}"
    pages = sum(-(-l // page_tokens) for l in lengths) + 5
    table = table_for(lengths, page_tokens, pages, generator)
    cache = Cache(pages, layers, heads, page_tokens, width, fill=float("nan"))  # what was never written stays out
    layer = layers - 1
    for i, l in enumerate(lengths):
        scatter(cache, table[i], layer, torch.randn(l, heads, width, device=DEVICE).bfloat16(),
                torch.randn(l, heads, width, device=DEVICE).bfloat16())
    n = sum(rows)
    q = (spread * torch.randn(n, heads * group * width + 16, device=DEVICE)).bfloat16()
    out = torch.full((n, heads * group * width + 8), float("nan"), device=DEVICE, dtype=torch.bfloat16)
    visible = None
    if tree:
        visible = torch.randint(-2 ** 63, 2 ** 63 - 1, (n,), dtype=torch.int64, device=DEVICE) | 1
    step = Step(kernels, cache, table, lengths, rows, group, tile, window=window, slots=slots)
    step.make_plan()
    step.attend(q, out, layer, visible)
    first = out.clone()
    out.fill_(float("nan"))
    step.attend(q, out, layer, visible)
    torch.cuda.synchronize()
    expect(bits(first, out), "rerun: " + name)
    at = 0
    small = [0.0, 0.0]  # sequences of few results are judged together: the bar is a maximum, and theirs says little
    for i, (l, r) in enumerate(zip(lengths, rows)):
        if r == 0:
            continue
        queries = q[at:at + r, :heads * group * width].reshape(r, heads * group, width)
        ours = out[at:at + r, :heads * group * width].reshape(r, heads * group, width)
        k, v = gathered(cache, table[i], l, layer)
        seen = mask_of(l, r, window or NO_WINDOW, visible[at:at + r] if tree else None)
        exact = attention(queries, k, v, seen, step.scale, torch.float64)
        peer = attention(queries, k, v, seen, step.scale, torch.bfloat16)
        error = (ours.double() - exact).abs().max().item()
        bar = 2 * (peer.double() - exact).abs().max().item() + 2 * ((exact.float() + 0.3 - 0.3).double() - exact).abs().max().item()
        # One rounding of the largest result is allowed in any case.
        bar = max(bar, exact.abs().max().item() * 2 ** -8)
        if exact.numel() < 2048:
            small = [max(small[0], error), max(small[1], bar)]
            at += r
            continue
        if not expect(error <= bar, f"error {error:.3g} over {bar:.3g}, sequence {i}: {name}"):
            return
        if error / bar > worst[0]:
            worst[:] = [error / bar, name]
        at += r
    expect(small[0] <= small[1], f"error {small[0]:.3g} over {small[1]:.3g}, sequences of few results: {name}")
    expect(torch.isnan(out[:, heads * group * width:]).all().item(), "wrote beside its rows: " + name)


def same_bits(kernels, width, heads, group, page_tokens, length, window, seed, page_choices=(16, 64), whole_rows=None):
    """The last rows of one sequence, computed in every way, give the same bits."""
    generator = random.Random(seed)
    torch.manual_seed(seed)
    keys = torch.randn(length, heads, width, device=DEVICE).bfloat16()
    values = torch.randn(length, heads, width, device=DEVICE).bfloat16()
    rows = min(length, whole_rows or length)
    q = (2 * torch.randn(length, heads * group * width, device=DEVICE)).bfloat16()
    name = f"width {width} heads {heads} group {group} length {length} window {window}"

    def compute(parts, tile, page, slots, blocks, others, slot_rows=None):
        """parts: (end, rows) of the sequence to compute, each a sequence of the batch; others: lengths beside it."""
        lengths, counts, which = [], [], []
        batch = [(end, r, True) for end, r in parts] + [(l, r, False) for l, r in others]
        generator.shuffle(batch)
        for end, r, ours in batch:
            lengths.append(end)
            counts.append(r)
            which.append(ours)
        pages = sum(-(-l // page) for l in lengths) + 3
        table = table_for(lengths, page, pages, generator)
        cache = Cache(pages, 1, heads, page, width)
        queries = torch.randn(sum(counts), heads * group * width, device=DEVICE).bfloat16()
        at = 0
        for i, (end, r, ours) in enumerate(batch):
            if ours:
                scatter(cache, table[i], 0, keys[:end], values[:end])
                queries[at:at + r] = q[end - r:end]
            at += r
        out = torch.full_like(queries, float("nan"))
        step = Step(kernels, cache, table, lengths, counts, group, tile, window=window, slots=slots, blocks=blocks,
                    slot_rows=slot_rows)
        step.make_plan()
        step.attend(queries, out)
        result = torch.full_like(q, float("nan"))
        at = 0
        for end, r, ours in batch:
            if ours:
                result[end - r:end] = out[at:at + r]
            at += r
        return result

    reference = compute([(length, rows)], 64, page_tokens, 0, None, [])
    expect(not torch.isnan(reference[length - rows:]).any().item(), "not all written: " + name)
    ways = 0

    def compare(parts, what, *arguments, **named):
        nonlocal ways
        ways += 1
        result = compute(parts, *arguments, **named)
        for end, r in parts:
            if not expect(bits(result[end - r:end], reference[end - r:end]), f"bits: {what}, rows {end - r} to {end}: {name}"):
                return

    others = [(generator.randint(1, 3000), 1) for _ in range(5)] + [(700, 333)]
    start = length - rows
    for tile in tiles(width):
        compare([(length, rows)], f"tile {tile}", tile, generator.choice(page_choices), 64, None, [])
        compare([(length, rows)], f"tile {tile}, beside others, 3 blocks", tile, generator.choice(page_choices), 4096, 3, others,
                slot_rows=tile)
        chosen = sorted({start + 1, length, (start + length) // 2 + 1, *(generator.randint(start + 1, length) for _ in range(12))})
        for slots in (0, 6, 100, 4096):
            compare([(e, 1) for e in chosen], f"decode, tile {tile}, {slots} slots", tile, generator.choice(page_choices), slots,
                    generator.choice([None, 1, 7, 5000]), others if slots else [])
        for count in (2, 5, 8, 16):
            ends = [generator.randint(min(start + count, length), length) for _ in range(3)]
            compare([(e, min(count, e - start)) for e in ends], f"verify {count}, tile {tile}", tile, 16, 1000, None, others,
                    slot_rows=tile)
        cuts = sorted({start, length, *(generator.randint(start, length) for _ in range(4))})
        compare([(b, b - a) for a, b in zip(cuts, cuts[1:])], f"chunks at {cuts}, tile {tile}", tile, 32, 200, None, others)
    return ways


def prepare(kernels, width, heads, group, rotary, norms, seed):
    torch.manual_seed(seed)
    generator = random.Random(seed)
    page = 16
    lengths, rows = [37, 5, 300, 16], [1, 5, 100, 3]
    pages = sum(-(-l // page) for l in lengths) + 3
    table = table_for(lengths, page, pages, generator)
    cache = Cache(pages, 3, heads, page, width)
    before = cache.data.clone()
    n = sum(rows)
    stride = (heads * group + 2 * heads) * width
    projected = torch.randn(n, stride, device=DEVICE).bfloat16()
    q, k, v = projected.split([heads * group * width, heads * width, heads * width], 1)
    source = projected.clone().double()
    gains = [torch.rand(width, device=DEVICE) + 0.5 if norms else None for _ in range(2)]
    cosine = sine = None
    if rotary:
        angle = torch.arange(400, device=DEVICE)[:, None].double() * 10000.0 ** (-torch.arange(0, rotary, 2, device=DEVICE).double() / rotary)
        cosine, sine = angle.cos().float(), angle.sin().float()
    step = Step(kernels, cache, table, lengths, rows, group, 16)
    step.make_plan()
    step.prepare(q, k, v, 1, *gains, cosine, sine)
    torch.cuda.synchronize()
    name = f"prepare: width {width} heads {heads} group {group} rotary {rotary} norms {norms}"

    def exact(x, gain):
        x = x.reshape(n, -1, width)
        if gain is not None:
            x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * gain.double()
        if rotary:
            at = step.positions[:n].long()
            c, s = cosine[at].double()[:, None], sine[at].double()[:, None]
            low, high, rest = x[..., :rotary // 2], x[..., rotary // 2:rotary], x[..., rotary:]
            x = torch.cat([low * c - high * s, high * c + low * s, rest], -1)
        return x

    for what, got, want in (("queries", q.reshape(n, -1, width), exact(source[:, :heads * group * width], gains[0])),):
        error = ((got.double() - want).abs() - want.abs() * 2 ** -8).max().item()
        expect(error <= 1e-5, f"{what} {error}: {name}")
    keys = exact(source[:, heads * group * width:heads * (group + 1) * width], gains[1])
    values = source[:, heads * (group + 1) * width:].reshape(n, heads, width)
    at = 0
    want = before.clone()
    for i, (l, r) in enumerate(zip(lengths, rows)):
        got_k, got_v = gathered(cache, table[i], l, 1)
        error = ((got_k[l - r:].double() - keys[at:at + r]).abs() - keys[at:at + r].abs() * 2 ** -8).max().item()
        expect(error <= 1e-5, f"keys {error}: {name}")
        expect(torch.equal(got_v[l - r:].double(), values[at:at + r]), f"values: {name}")
        positions = torch.arange(l - r, l, device=DEVICE)
        page_of = table[i][(positions // page).long()].long()
        want[page_of, 1, :, :, positions % page] = cache.data[page_of, 1, :, :, positions % page]
        at += r
    expect(torch.equal(want, cache.data), "wrote beside its rows: " + name)
    expect(torch.equal(projected[:, -heads * width:].double(), source[:, -heads * width:]), "values changed: " + name)


def copy_page(kernels, width, tokens):
    import struct

    from attention_paged_driver import launch

    cache = Cache(7, 3, 2, 32, width)
    want = cache.data.clone()
    want[5, :, :, :, :tokens] = want[2, :, :, :, :tokens]
    launch(kernels.copy_page, 8, 256, 0, struct.pack("<Q8i", cache.data.data_ptr(), 2, 5, tokens, 32, 3, 2, width, 0))
    expect(torch.equal(want, cache.data), f"copy_page width {width} tokens {tokens}")


def replay(kernels):
    """A captured graph serves another step: other sequences, rows and lengths in the same memory."""
    torch.manual_seed(5)
    generator = random.Random(5)
    heads, group, width, page = 4, 3, 64, 16
    first = ([3000, 77, 512, 1], [1, 1, 1, 1])
    second = ([1500, 5, 2600, 40, 9, 900], [2, 1, 16, 1, 3, 0])
    pages = 1000
    cache = Cache(pages, 1, heads, page, width)
    table = table_for(first[0] + second[0], page, pages, generator)
    out = torch.full((64, heads * group * width), float("nan"), device=DEVICE, dtype=torch.bfloat16)
    q = torch.randn_like(out)
    step = Step(kernels, cache, table[:4], *first, group, 16, max_sequences=8, max_rows=64)
    step.starts = torch.cat([step.starts, torch.zeros(20, dtype=torch.int32, device=DEVICE)])
    step.positions = torch.cat([step.positions, torch.zeros(64, dtype=torch.int32, device=DEVICE)])
    step.pages = torch.zeros(70, dtype=torch.int32, device=DEVICE)
    step.table = table.clone()

    def run():
        step.make_plan()
        step.attend(q, out)

    run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    other = Step(kernels, cache, table[4:], *second, group, 16)
    want = torch.full_like(out, float("nan"))
    other.make_plan()
    other.attend(q, want)
    for target, value in ((step.count, other.count), (step.starts, other.starts), (step.positions, other.positions)):
        target[:value.numel()] = value
    step.table[:6] = table[4:]
    out.fill_(float("nan"))
    graph.replay()
    torch.cuda.synchronize()
    n = sum(second[1])
    expect(bits(out[:n], want[:n]) and torch.isnan(out[n:]).all().item(), "graph replayed with another step")
    step.count.zero_()
    out.fill_(float("nan"))
    graph.replay()
    torch.cuda.synchronize()
    expect(torch.isnan(out).all().item(), "graph replayed with no sequence")


def main():
    folder = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    print("seed", seed)
    generator = random.Random(seed)
    kernels = Kernels(folder)
    began = time.time()
    for width in (8, 16, 24, 32, 40, 64, 72, 80, 96, 112, 128, 192, 256):
        for tile in tiles(width):
            for window in (None, generator.choice([1, 17, 100, 300, 2500])):
                group = generator.choice([1, 3, 4, 6, 8, 16])
                lengths = [1, generator.choice([63, 64, 65]), generator.choice([255, 256, 257]), generator.choice([2047, 2048, 2049]),
                           generator.randint(1, 6000), generator.randint(1, 600)]
                rows = [1, generator.choice([1, 2, 60]), 1, generator.choice([1, 3, 8]), generator.choice([1, 200]), 0]
                rows = [min(r, l) for r, l in zip(rows, lengths)]
                accuracy(kernels, width, generator.choice([1, 2, 3]), group, generator.choice([16, 32, 64, 128]), lengths, rows,
                         window, tile, generator.choice([0, 2, 20, 1000]), generator.randint(0, 1 << 30),
                         tree=generator.random() < 0.3, spread=generator.choice([1.0, 4.0]))
    accuracy(kernels, 128, 2, 8, 16, [20000, 9000], [1, 7], None, 16, 1000, seed)
    accuracy(kernels, 128, 1, 4, 16, [70000], [1], None, 64, 1000, seed)
    accuracy(kernels, 128, 1, 4, 64, [9000, 70], [600, 40], None, 128, 1000, seed)
    accuracy(kernels, 64, 1, 2, 16, [generator.randint(1, 40) for _ in range(2500)], [1] * 2500, None, 16, 100, seed)
    accuracy(kernels, 64, 2, 4, 16, [1], [1], None, 16, 0, seed)
    print(f"accuracy done, {time.time() - began:.0f} s; worst {worst[0]:.2f} of the bar: {worst[1]}", flush=True)
    for rotary, norms in ((0, False), (1, False), (1, True), (0, True)):
        for width in (8, 24, 64, 72, 128, 256):
            prepare(kernels, width, 3, generator.choice([1, 4, 5]), rotary * width, norms, generator.randint(0, 1 << 30))
    prepare(kernels, 96, 2, 2, 32, True, 3)
    prepare(kernels, 80, 2, 2, 24, False, 3)
    for width, tokens in ((8, 1), (128, 17), (64, 32), (256, 0)):
        copy_page(kernels, width, tokens)
    replay(kernels)
    print(f"prepare, copy, replay done, {time.time() - began:.0f} s", flush=True)
    ways = 0
    for width, heads, group, length, window, rows in (
            (64, 2, 4, 700, None, None), (128, 2, 8, 1100, None, None), (128, 1, 3, 5000, None, 900), (128, 1, 1, 2300, 300, None),
            (64, 1, 6, 4500, 1000, 700), (96, 1, 4, 800, None, None), (256, 1, 8, 2200, None, 300), (32, 2, 16, 333, 50, None),
            (72, 1, 2, 600, None, None), (256, 1, 1, 2500, 400, 600), (128, 1, 8, 9000, None, 64)):
        ways += same_bits(kernels, width, heads, group, 16, length, window, generator.randint(0, 1 << 30), whole_rows=rows)
    print(f"bits compared in {ways} ways, {time.time() - began:.0f} s")
    print("FAILURES" if failures else "all good", len(failures))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
