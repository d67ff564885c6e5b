"""Checks of the backward of attention by FlashAttention's rule.

A gradient is right when its greatest error against fp32 is at most twice that of a 16-bit PyTorch computation with the
products reordered, plus the rounding of the reference itself. Inputs are fresh on every run; outputs are poisoned first,
with a guard behind them. Besides: reruns are bit-equal, also with sections of other lengths; a sequence's gradients do
not depend on the batch it shares.
"""

import torch

from attention_check import LARGE, SHAPES, Failure, fresh, mask_of, poisoned, reference, same


def gradients(q, k, v, seen, d_out, upcast, reorder=False, **extra):
    leaves = [x.detach().clone().requires_grad_() for x in (q, k, v)]
    out, lse = reference(*leaves, seen, upcast=upcast, reorder=reorder, **extra)
    if out.numel() == 0 or k.numel() == 0:
        return out.detach(), lse.detach(), [torch.zeros_like(x, dtype=torch.float32) for x in (q, k, v)]
    found = torch.autograd.grad(out, leaves, d_out.float() if upcast else d_out)
    return out.detach(), lse.detach(), list(found)


def masked_gradients(q, k, v, seen, d_out, upcast, reorder=False, **extra):
    """As `gradients`; rows that see nothing, for which autograd says NaN, are left out."""
    alive = seen.any(-1)
    if alive.all():
        return gradients(q, k, v, seen, d_out, upcast, reorder, **extra)
    out, lse, grads = gradients(q[:, alive], k, v, seen[alive], d_out[:, alive], upcast, reorder, **extra)
    whole_out = torch.zeros(q.shape[:-1] + v.shape[-1:], dtype=out.dtype, device=q.device)
    whole_out[:, alive] = out
    whole_lse = torch.full((q.shape[0], q.shape[2], q.shape[1]), float("-inf"), device=q.device)
    whole_lse[:, :, alive] = lse
    dq = torch.zeros(q.shape, dtype=grads[0].dtype, device=q.device)
    dq[:, alive] = grads[0]
    return whole_out, whole_lse, [dq, grads[1], grads[2]]


def judge(label, found, q, k, v, seen, d_out, **extra):
    """Returns (error over allowance, error) or raises."""
    _, _, ref = masked_gradients(q, k, v, seen, d_out, True, **extra)
    _, _, plain = masked_gradients(q, k, v, seen, d_out, False, True, **extra)
    worst, greatest = 0.0, 0.0
    for name, ours, r, p in zip(("dQ", "dK", "dV"), found, ref, plain):
        if ours.numel() == 0:
            continue
        rounded = r.to(ours.dtype)
        error = (ours.float() - rounded.float()).abs().max().item()
        peer = (p.float() - rounded.float()).abs().max().item()
        rounding = 2 * (rounded + 0.3 - 0.3 - rounded).abs().max().item()
        allowed = 2 * peer + rounding
        if not error <= allowed:
            raise Failure(f"{label} {name}: error {error:.3e} > allowed {allowed:.3e} (PyTorch {peer:.3e})")
        greatest = max(greatest, error)
        worst = max(worst, error / allowed if allowed else 0.0)
    return worst, greatest


def forward(q, k, v, seen, **extra):
    """out as a kernel would give it, and lse, from fp32."""
    with torch.no_grad():
        out, lse = reference(q, k, v, seen, **extra)
    if k.shape[1] == 0:
        out = torch.zeros(q.shape[:-1] + v.shape[-1:], device=q.device)
        lse = torch.full((q.shape[0], q.shape[2], q.shape[1]), float("-inf"), device=q.device)
    return out.to(q.dtype).contiguous(), lse.contiguous()


def run(kernel, q, k, v, out, lse, d_out, **options):
    found, guards = zip(*(poisoned(x.shape, x.dtype) for x in (q, k, v)))
    kernel(q, k, v, out, d_out, lse, *found, **options)
    torch.cuda.synchronize()
    if not all(torch.isnan(g).all() for g in guards):
        raise Failure("wrote behind a gradient")
    return found


def all_same(label, first, second):
    for name, x, y in zip(("dQ", "dK", "dV"), first, second):
        same(f"{label} {name}", x, y)


def check(kernel, d, dtype, quick=False, capped=False):
    """All checks; returns a summary or raises Failure. Capped: the kernel is for capped scores."""
    worst, worst_label, cases = 0.0, "", 0
    given = {}  # what the references get besides, and the kernel, if it is the softcap; sinks it knows from the LSE

    def attend(*tensors, **options):
        return run(kernel, *tensors, softcap=given.get("softcap", 0.0), **options)

    def verdict(*judged):
        return judge(*judged, **given)

    def output(*tensors):
        return forward(*tensors, **given)

    def draw(softcap):
        if capped:
            given["softcap"] = softcap

    def note(label, result):
        nonlocal worst, worst_label, cases
        cases += 1
        if result[0] >= worst:
            worst, worst_label = result[0], label

    heads = 6
    for sq, sk in SHAPES[::3] if quick else SHAPES + [LARGE]:
        for kv_heads in (6, 1) if quick else (6, 3, 1):
            for kind in ("full", "causal", "window"):
                window = (-1, -1)
                if kind == "window":
                    window = tuple(torch.randint(0, max(1, sk), (2,)).tolist())
                batch = 1 if sq > 2048 else 2
                draw(torch.rand(1).item() * 4 + 0.5)
                q, d_out = fresh((batch, sq, heads, d), dtype), fresh((batch, sq, heads, d), dtype)
                k, v = fresh((batch, sk, kv_heads, d), dtype), fresh((batch, sk, kv_heads, d), dtype)
                label = f"{sq}x{sk} {kind}{window if kind == 'window' else ''} heads {heads}/{kv_heads}"
                options = dict(causal=kind == "causal", window=window)
                seen = mask_of(sq, sk, kind == "causal", window)
                out, lse = output(q, k, v, seen)
                found = attend(q, k, v, out, lse, d_out, **options)
                note(label, verdict(label, found, q, k, v, seen, d_out))
                all_same(label + " rerun", found, attend(q, k, v, out, lse, d_out, **options))
                if kv_heads == 3:
                    for rotation in (-1, 0, 1, 2):
                        orders = dict(together=4, rotation=rotation, **options)
                        ordered = attend(q, k, v, out, lse, d_out, section=6, **orders)
                        note(f"{label} rotation {rotation}", verdict(label, ordered, q, k, v, seen, d_out))
                        all_same(f"{label} rotation {rotation}, section 1", ordered,
                                 attend(q, k, v, out, lse, d_out, section=1, grid=40, **orders))
                    free = attend(q, k, v, out, lse, d_out, any_order=True, **options)
                    note(label + " any order", verdict(label, free, q, k, v, seen, d_out))

    # No keys: dQ is zero. The key tensors still have addresses.
    q, d_out = fresh((2, 70, 6, d), dtype), fresh((2, 70, 6, d), dtype)
    spare = fresh((2, 1, 3, d), dtype), fresh((2, 1, 3, d), dtype)
    k, v = spare[0][:, :0], spare[1][:, :0]
    out, lse = output(q, k, v, torch.zeros(70, 0, dtype=torch.bool, device="cuda"))
    dq, _, _ = attend(q, k, v, out, lse, d_out)
    if dq.abs().max().item() != 0:
        raise Failure("no keys: dQ is not zero")
    # No queries: dK and dV are zero.
    q, d_out = fresh((2, 1, 6, d), dtype)[:, :0], fresh((2, 1, 6, d), dtype)[:, :0]
    k, v = fresh((2, 70, 3, d), dtype), fresh((2, 70, 3, d), dtype)
    _, dk, dv = attend(q, k, v, q, torch.empty((2, 6, 0), device="cuda"), d_out)
    if dk.abs().max().item() != 0 or dv.abs().max().item() != 0:
        raise Failure("no queries: dK or dV is not zero")
    cases += 2

    # Sinks: they are in the output and the LSE, and nowhere else.
    if not capped:
        given["sinks"] = torch.tensor([4.0, -4.0, 0.0, 300.0, float("-inf"), 2.0], device="cuda")
        for sq, sk in ((113, 203), (512, 256)):
            q, d_out = fresh((2, sq, 6, d), dtype), fresh((2, sq, 6, d), dtype)
            k, v = fresh((2, sk, 3, d), dtype), fresh((2, sk, 3, d), dtype)
            seen = mask_of(sq, sk, True, (-1, -1))
            out, lse = output(q, k, v, seen)
            note(f"sinks {sq}x{sk}", verdict(f"sinks {sq}x{sk}", attend(q, k, v, out, lse, d_out, causal=True), q, k, v,
                                             seen, d_out))
        del given["sinks"]

    # Large values: weights near one and near zero.
    for scale in (4.0, 12.0):
        draw(30.0)
        q, d_out = fresh((2, 300, 6, d), dtype) * scale, fresh((2, 300, 6, d), dtype)
        k, v = fresh((2, 700, 2, d), dtype), fresh((2, 700, 2, d), dtype)
        k *= torch.linspace(2, 0.1, 700, device="cuda").to(dtype)[None, :, None, None]
        seen = mask_of(300, 700, True, (-1, -1))
        out, lse = output(q, k, v, seen)
        found = attend(q, k, v, out, lse, d_out, causal=True)
        note(f"large {scale}", verdict(f"large {scale}", found, q, k, v, seen, d_out))

    # Sequences of different lengths; each as if it were alone, bit for bit.
    for causal in (False, True):
        lengths = torch.randint(0, 700, (9,)).tolist()
        lengths[3] = 0
        lengths[5] = 1
        key_lengths = [n + e for n, e in zip(lengths, torch.randint(0, 130, (9,)).tolist())]
        key_lengths[6] = 0
        starts_q = torch.tensor([0] + lengths).cumsum(0).int().cuda()
        starts_k = torch.tensor([0] + key_lengths).cumsum(0).int().cuda()
        q, d_out = fresh((sum(lengths), 6, d), dtype), fresh((sum(lengths), 6, d), dtype)
        k, v = fresh((sum(key_lengths), 3, d), dtype), fresh((sum(key_lengths), 3, d), dtype)
        out = torch.zeros_like(q)
        lse = torch.zeros((6, sum(lengths)), device="cuda")
        parts = []
        for b, (n, m) in enumerate(zip(lengths, key_lengths)):
            a, c = starts_q[b].item(), starts_k[b].item()
            seen = mask_of(n, m, causal, (-1, -1))
            o, l = output(q[None, a:a + n], k[None, c:c + m], v[None, c:c + m], seen)
            out[a:a + n] = o[0]
            lse[:, a:a + n] = l[0]
            parts.append((a, n, c, m, seen))
        found = attend(q, k, v, out, lse, d_out, causal=causal, starts_q=starts_q, starts_k=starts_k,
                    tokens_q=max(lengths), tokens_k=max(key_lengths))
        for a, n, c, m, seen in parts:
            label = f"packed {n}x{m} causal={causal}"
            mine = [found[0][None, a:a + n], found[1][None, c:c + m], found[2][None, c:c + m]]
            if n == 0 or m == 0:
                if any(x.numel() and x.abs().max().item() != 0 for x in mine):
                    raise Failure(f"{label}: expected zeros")
                continue
            x = q[None, a:a + n], k[None, c:c + m], v[None, c:c + m]
            note(label, verdict(label, mine, *x, seen, d_out[None, a:a + n]))
            alone = attend(*x, out[None, a:a + n], lse[None, :, a:a + n].contiguous(), d_out[None, a:a + n],
                        causal=causal)
            all_same(label + " alone", alone, mine)

    # Documents and image blocks: an interval of keys per query.
    n = 1500
    bounds = [0, 211, 212, 700, 1500]
    image = torch.full((n,), -1)
    for start, length in ((30, 64), (250, 256), (520, 100), (800, 256), (1100, 256), (1390, 110)):
        image[start:start + length] = start
    document = torch.zeros(n, dtype=torch.long)
    for i, start in enumerate(bounds[1:-1]):
        document[start:] = i + 1
    i, j = torch.arange(n)[:, None], torch.arange(n)[None, :]
    seen = ((j <= i) | ((image[:, None] == image[None, :]) & (image[:, None] >= 0))) & (
        document[:, None] == document[None, :])
    first = seen.int().argmax(1)
    visible = torch.stack([first, first + seen.sum(1)], 1).int().cuda()
    visible = visible[None].expand(2, -1, -1).contiguous()
    seen = seen.cuda()
    q, d_out = fresh((2, n, 6, d), dtype), fresh((2, n, 6, d), dtype)
    k, v = fresh((2, n, 3, d), dtype), fresh((2, n, 3, d), dtype)
    out, lse = output(q, k, v, seen)
    found = attend(q, k, v, out, lse, d_out, visible=visible)
    note("multimodal", verdict("multimodal", found, q, k, v, seen, d_out))
    all_same("multimodal rerun", found, attend(q, k, v, out, lse, d_out, visible=visible))

    # Heads outside tokens in memory: strides are honoured.
    q, k, v, d_out = (fresh((2, h, 333, d), dtype).transpose(1, 2) for h in (6, 6, 6, 6))
    seen = mask_of(333, 333, True, (-1, -1))
    out, lse = output(q, k, v, seen)
    found = attend(q, k, v, out, lse, d_out, causal=True)
    note("transposed", verdict("transposed", found, q, k, v, seen, d_out))
    return dict(cases=cases, worst_over_allowed=round(worst, 3), worst_case=worst_label)
