"""Loads the kernels of the backward of attention through the CUDA driver API and launches them on torch tensors."""

import ctypes
import struct

import torch

from attention_driver import UNLIMITED, Module, _check, _cuda

HEADER = "16Q26q12i2f"
assert struct.calcsize("<" + HEADER) == 392


class Backward(Module):
    """`name_prepare`, `name` and `name_finish` of a module."""

    def __init__(self, image, name="attention_backward"):
        super().__init__(image, name)
        self.threads, self.shared, self.rows, self.sum_bytes = self.info
        self.prepare, self.finish = self.function("_prepare"), self.function("_finish")

    def launcher(self, q, k, v, out, d_out, lse, dq, dk, dv, causal=False, window=(-1, -1), starts_q=None,
                 starts_k=None, tokens_q=None, tokens_k=None, visible=None, scale=None, section=None, together=None,
                 rotation=None, any_order=False, grid=None, softcap=0.0):
        """q, k, v, out, gradients: [batch, tokens, heads, d], or [tokens, heads, d] with starts; lse [batch, heads,
        tokens] or [heads, tokens]. Returns a function that launches on the current stream; given a part (prepare,
        main, finish), only that."""
        packed = starts_q is not None
        batch = starts_q.numel() - 1 if packed else q.shape[0]
        heads, kv_heads = q.shape[-2], k.shape[-2]

        def strides(t):
            token, head, column = t.stride()[-3:]
            assert column == 1 or t.shape[-1] == 1
            return (0 if packed else t.stride(0)), token, head

        left = UNLIMITED if window[0] < 0 else window[0]
        right = UNLIMITED if window[1] < 0 else window[1]
        if causal:
            right = 0
        tokens_q = tokens_q if packed else q.shape[1]
        tokens_k = tokens_k if packed else k.shape[1]
        tiles = q.shape[0] // self.rows + batch if packed else batch * -(-tokens_q // self.rows)
        work = kv_heads if packed else kv_heads * batch  # heads of keys to divide into sections
        full = left == UNLIMITED and right == UNLIMITED and visible is None
        if section is None:
            section = 16 if full or tokens_k > 4096 else 32
        section = max(1, min(section, work))
        if together is None:
            together = 8
        if rotation is None:
            rotation = -1
        if rotation > 0 and not full:
            rotation = 0
        if grid is None:
            grid = self.processors
        make = lambda count, dtype: torch.empty(max(1, count), dtype=dtype, device="cuda")
        descriptors = make(128 + 512 * batch, torch.uint8)
        turns = make(heads * tiles, torch.int32)
        statistics = make(heads * tiles * 2 * self.rows, torch.float32)
        sums = make(heads * tiles * self.sum_bytes // 4, torch.float32)
        sums.fill_(float("nan"))
        pointer = lambda t: t.data_ptr() if t is not None else 0
        tensors = q, k, v, out, d_out, lse, dq, dk, dv, starts_q, starts_k, visible, descriptors, turns, statistics, sums
        header = struct.pack(
            "<" + HEADER, *(pointer(t) for t in tensors),
            *(s for t in (q, k, v, out, d_out, dq, dk, dv) for s in strides(t)),
            *((0, lse.stride(0)) if packed else (lse.stride(0), lse.stride(1))),
            batch, heads, kv_heads, tokens_q, tokens_k, tiles, left, right, section, together, rotation,
            int(any_order), scale if scale is not None else q.shape[-1] ** -0.5, softcap)
        buffer = ctypes.create_string_buffer(header, 392)
        params = (ctypes.c_void_p * 1)(ctypes.addressof(buffer))

        def launch(part=None, _keep=(tensors, buffer)):
            stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
            if part in (None, "prepare"):
                _check(_cuda.cuLaunchKernel(self.prepare, heads, tiles + batch, 1, 128, 1, 1, 0, stream, params, None),
                       "prepare")
            if part in (None, "main"):
                _check(_cuda.cuLaunchKernel(self.main, grid, 1, 1, self.threads, 1, 1, self.shared, stream,
                                            params, None), self.name)
            if part in (None, "finish") and tiles > 0:
                _check(_cuda.cuLaunchKernel(self.finish, heads, tiles, 1, 256, 1, 1, 0, stream, params, None), "finish")

        return launch

    def __call__(self, *tensors, **options):
        self.launcher(*tensors, **options)()

