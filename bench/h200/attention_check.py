"""Checks of attention forward kernels by FlashAttention's rule.

An output is right when its greatest error against fp32 is at most twice that of a 16-bit PyTorch computation with the
products reordered, plus the rounding of the reference itself. Inputs are fresh on every run; outputs are poisoned
first, with a guard behind them. Besides: reruns are bit-equal; a row's bits do not depend on the batch it shares, nor
on the chunk of queries it came in.
"""

import math

import torch

SHAPES = [(1, 1), (3, 3), (64, 32), (64, 1), (239, 1), (799, 3), (113, 203), (128, 217), (113, 211), (108, 256),
          (256, 512), (384, 256), (512, 256), (640, 128), (1023, 1024), (1024, 1023), (2048, 2048)]
LARGE = (4224, 4224)


def mask_of(sq, sk, causal, window, device="cuda"):
    """True where a query may see a key; written from the definition, not from the kernel."""
    i = torch.arange(sq, device=device)[:, None] + sk - sq
    j = torch.arange(sk, device=device)[None, :]
    seen = torch.ones(sq, sk, dtype=torch.bool, device=device)
    if causal:
        seen &= j <= i
    if window[0] >= 0:
        seen &= j >= i - window[0]
    if window[1] >= 0:
        seen &= j <= i + window[1]
    return seen


def reference(q, k, v, seen, upcast=True, reorder=False, softcap=0.0, sinks=None):
    """[batch, tokens, heads, d]; fp32 when upcast, else in the inputs' own type. With a softcap scores are
    softcap * tanh(score / softcap); sinks are one more score for each head of queries, which has no value."""
    dtype = q.dtype
    if upcast:
        q, k, v = q.float(), k.float(), v.float()
    ratio = q.shape[2] // k.shape[2]
    k = k.repeat_interleave(ratio, 2)
    v = v.repeat_interleave(ratio, 2)
    scale = 1 / math.sqrt(q.shape[-1])
    if reorder:
        scores = torch.einsum("bthd,bshd->bhts", q, k * scale)
    else:
        scores = torch.einsum("bthd,bshd->bhts", q * scale, k)
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    scores = scores.masked_fill(~seen, float("-inf"))
    if sinks is not None:
        sink = sinks.to(scores.dtype)[None, :, None, None].expand(scores.shape[:-1] + (1,))
        scores = torch.cat([scores, sink], -1)
    lse = torch.logsumexp(scores.float(), -1)
    weights = torch.softmax(scores.float() if upcast else scores, -1)
    if sinks is not None:
        weights = weights[..., :-1]
    weights = weights.masked_fill(~seen.any(-1)[..., None], 0.0).to(v.dtype)
    out = torch.einsum("bhts,bshd->bthd", weights, v)
    return out.to(dtype) if not upcast else out, lse


def poisoned(shape, dtype):
    """A tensor full of NaN with a guard behind it."""
    count = math.prod(shape)
    whole = torch.full((count + 4096,), float("nan"), dtype=dtype, device="cuda")
    return whole[:count].view(shape), whole[count:]


class Failure(AssertionError):
    pass


def judge(label, out, lse, q, k, v, seen, **extra):
    """Returns (error over allowance, error, LSE error) or raises."""
    ref, lse_ref = reference(q, k, v, seen, **extra)
    plain, _ = reference(q, k, v, seen, upcast=False, reorder=True, **extra)
    if out.numel() == 0:
        return 0.0, 0.0, 0.0
    rounded = ref.to(out.dtype)
    error = (out.float() - rounded.float()).abs().max().item()
    peer = (plain.float() - rounded.float()).abs().max().item()
    rounding = 2 * (rounded + 0.3 - 0.3 - rounded).abs().max().item()
    allowed = 2 * peer + rounding
    if not error <= allowed:
        raise Failure(f"{label}: error {error:.3e} > allowed {allowed:.3e} (PyTorch {peer:.3e})")
    dead = torch.isinf(lse_ref)
    if not torch.equal(torch.isneginf(lse), dead):
        raise Failure(f"{label}: LSE is -inf on other rows than the reference's")
    lse_error = (lse - lse_ref)[~dead].abs().max().item() if (~dead).any() else 0.0
    if not lse_error <= 2e-3:
        raise Failure(f"{label}: LSE error {lse_error:.3e}")
    return error / allowed if allowed else 0.0, error, lse_error


def fresh(shape, dtype):
    return torch.randn(shape, device="cuda", dtype=torch.float32).to(dtype)


def run(kernel, q, k, v, **options):
    out, guard = poisoned(q.shape[:-1] + v.shape[-1:], q.dtype)
    packed = options.get("starts_q") is not None
    lse_shape = (q.shape[1], q.shape[0]) if packed else (q.shape[0], q.shape[2], q.shape[1])
    lse, lse_guard = poisoned(lse_shape, torch.float32)
    kernel(q, k, v, out, lse, **options)
    torch.cuda.synchronize()
    if not (torch.isnan(guard).all() and torch.isnan(lse_guard).all()):
        raise Failure("wrote behind the output")
    return out, lse


def same(label, x, y):
    if not torch.equal(x.contiguous().view(torch.int16), y.contiguous().view(torch.int16)):
        raise Failure(f"{label}: bits differ in {(x != y).sum().item()} of {x.numel()} elements")


def check(kernel, d, dv, dtype, quick=False, extra="none"):
    """All checks; returns a summary or raises Failure. Extra: none, softcap or sinks, whichever the kernel is for."""
    worst, worst_label, worst_lse, cases = 0.0, "", 0.0, 0
    given = {}  # what is handed to the kernel and the references besides

    def attend(*tensors, **options):
        return run(kernel, *tensors, **options, **given)

    def verdict(*judged):
        return judge(*judged, **given)

    def draw(softcap):
        if extra == "softcap":
            given["softcap"] = softcap
        elif extra == "sinks":
            given["sinks"] = torch.randn(6, device="cuda") * 4

    def note(label, result):
        nonlocal worst, worst_label, worst_lse, cases
        cases += 1
        worst_lse = max(worst_lse, result[2])
        if result[0] >= worst:
            worst, worst_label = result[0], label

    shapes = SHAPES[::3] if quick else SHAPES + [LARGE]
    for sq, sk in shapes:
        for kv_heads in ((6, 1) if quick else (6, 3, 1)):
            for kind in ("full", "causal", "window"):
                window = (-1, -1)
                if kind == "window":
                    window = tuple(torch.randint(0, max(1, sk), (2,)).tolist())
                batch = 1 if sq > 2048 else 2
                heads = 6
                draw(torch.rand(1).item() * 4 + 0.5)
                q, k, v = fresh((batch, sq, heads, d), dtype), fresh((batch, sk, kv_heads, d), dtype), fresh(
                    (batch, sk, kv_heads, dv), dtype)
                label = f"{sq}x{sk} {kind}{window if kind == 'window' else ''} heads {heads}/{kv_heads}"
                options = dict(causal=kind == "causal", window=window)
                out, lse = attend(q, k, v, **options)
                note(label, verdict(label, out, lse, q, k, v, mask_of(sq, sk, kind == "causal", window)))
                again, lse_again = attend(q, k, v, **options)
                same(label + " rerun", out, again)
                same(label + " rerun lse", lse.view(torch.int32).to(torch.int16), lse_again.view(torch.int32).to(
                    torch.int16))

    # Empty keys: zeros and -inf. The key tensor still has an address.
    q = fresh((2, 70, 6, d), dtype)
    spare = fresh((2, 1, 3, d), dtype), fresh((2, 1, 3, dv), dtype)
    out, lse = attend(q, spare[0][:, :0], spare[1][:, :0])
    if extra == "sinks":
        if out.abs().max().item() != 0 or (lse - given["sinks"][:, None]).abs().max().item() > 1e-5:
            raise Failure("no keys: expected zeros and the sinks")
    elif out.abs().max().item() != 0 or not torch.isneginf(lse).all():
        raise Failure("no keys: expected zeros and -inf")
    cases += 1

    # Large values: peaks move far, so the lazy rescale has to act.
    for scale in (4.0, 12.0):
        draw(30.0)
        q, k, v = fresh((2, 300, 6, d), dtype) * scale, fresh((2, 700, 2, d), dtype), fresh((2, 700, 2, dv), dtype)
        k *= torch.linspace(2, 0.1, 700, device="cuda").to(dtype)[None, :, None, None]
        out, lse = attend(q, k, v, causal=True)
        note(f"large {scale}", verdict(f"large {scale}", out, lse, q, k, v, mask_of(300, 700, True, (-1, -1))))

    # Sinks far above and far below all scores, and one that is nothing.
    if extra == "sinks":
        given["sinks"] = torch.tensor([300.0, -300.0, 40.0, -40.0, float("-inf"), 0.0], device="cuda")
        for sq, sk in ((113, 203), (512, 256)):
            q, k, v = fresh((2, sq, 6, d), dtype), fresh((2, sk, 3, d), dtype), fresh((2, sk, 3, dv), dtype)
            out, lse = attend(q, k, v, causal=True)
            note(f"sinks {sq}x{sk}", verdict(f"sinks {sq}x{sk}", out, lse, q, k, v, mask_of(sq, sk, True, (-1, -1))))
        draw(0)

    # Sequences of different lengths; each row as if it were alone, bit for bit.
    for causal in (False, True):
        lengths = torch.randint(0, 700, (9,)).tolist()
        lengths[3] = 0
        lengths[5] = 1
        key_lengths = [n + e for n, e in zip(lengths, torch.randint(0, 130, (9,)).tolist())]
        key_lengths[6] = 0
        starts_q = torch.tensor([0] + lengths).cumsum(0).int().cuda()
        starts_k = torch.tensor([0] + key_lengths).cumsum(0).int().cuda()
        q = fresh((sum(lengths), 6, d), dtype)
        k, v = fresh((sum(key_lengths), 3, d), dtype), fresh((sum(key_lengths), 3, dv), dtype)
        out, lse = attend(q, k, v, causal=causal, starts_q=starts_q, starts_k=starts_k, tokens_q=max(lengths),
                       tokens_k=max(key_lengths))
        for b, (n, m) in enumerate(zip(lengths, key_lengths)):
            if n == 0:
                continue
            a, c = starts_q[b].item(), starts_k[b].item()
            qb, kb, vb = q[None, a:a + n], k[None, c:c + m], v[None, c:c + m]
            label = f"packed {n}x{m} causal={causal}"
            note(label, verdict(label, out[None, a:a + n], lse[None, :, a:a + n], qb, kb, vb,
                              mask_of(n, m, causal, (-1, -1))))
            alone, _ = attend(qb, kb, vb, causal=causal)
            same(label + " alone", alone[0], out[a:a + n])

    # Chunks of queries against the whole, causal: same bits.
    n = 1337
    q, k, v = fresh((1, n, 6, d), dtype), fresh((1, n, 2, d), dtype), fresh((1, n, 2, dv), dtype)
    whole, _ = attend(q, k, v, causal=True)
    for a, b in ((0, 1), (0, 100), (100, 777), (777, 778), (778, 1337)):
        part, _ = attend(q[:, a:b], k[:, :b], v[:, :b], causal=True)
        same(f"chunk {a}..{b}", part, whole[:, a:b])
        cases += 1

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
    q, k, v = fresh((2, n, 6, d), dtype), fresh((2, n, 3, d), dtype), fresh((2, n, 3, dv), dtype)
    out, lse = attend(q, k, v, visible=visible)
    note("multimodal", verdict("multimodal", out, lse, q, k, v, seen.cuda()))

    # Heads outside tokens in memory: strides are honoured.
    q, k, v = (fresh((2, 6, 333, d), dtype).transpose(1, 2), fresh((2, 6, 333, d), dtype).transpose(1, 2),
               fresh((2, 6, 333, dv), dtype).transpose(1, 2))
    out, lse = attend(q, k, v, causal=True)
    note("transposed", verdict("transposed", out, lse, q, k, v, mask_of(333, 333, True, (-1, -1))))
    return dict(cases=cases, worst_over_allowed=round(worst, 3), worst_case=worst_label, lse_error=worst_lse)
