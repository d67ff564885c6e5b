"""Loads the attention kernels through the CUDA driver API, as the engine does, and launches them on torch tensors."""

import ctypes
import struct

import torch

UNLIMITED = 1 << 29
HEADER = "9Q14q9ifQf5i"
assert struct.calcsize("<" + HEADER) == 256

_cuda = ctypes.CDLL("libcuda.so.1")


def _check(code, call):
    if code:
        name = ctypes.c_char_p()
        _cuda.cuGetErrorName(code, ctypes.byref(name))
        raise RuntimeError(f"{call}: {name.value.decode() if name.value else code}")


class Module:
    """The kernel `name` of an image, with the four numbers of `name_info` (threads, bytes of shared memory, ...), and the
    kernels that go with it."""

    def __init__(self, image, name):
        torch.zeros(1, device="cuda")  # makes torch's context current
        self.name = name
        self.module = ctypes.c_void_p()
        with open(image, "rb") as f:
            self.image = f.read()
        _check(_cuda.cuModuleLoadData(ctypes.byref(self.module), self.image), "cuModuleLoadData")
        self.main = self.function("")
        pointer, size = ctypes.c_uint64(), ctypes.c_size_t()
        _check(_cuda.cuModuleGetGlobal_v2(ctypes.byref(pointer), ctypes.byref(size), self.module,
                                          (name + "_info").encode()), "cuModuleGetGlobal")
        info = (ctypes.c_int * 4)()
        _check(_cuda.cuMemcpyDtoH_v2(info, pointer, ctypes.c_size_t(16)), "cuMemcpyDtoH")
        self.info = list(info)
        _check(_cuda.cuFuncSetAttribute(self.main, 8, self.info[1]), "cuFuncSetAttribute")
        local = ctypes.c_int()
        _check(_cuda.cuFuncGetAttribute(ctypes.byref(local), 3, self.main), "cuFuncGetAttribute")
        self.local_bytes = local.value
        self.processors = torch.cuda.get_device_properties(0).multi_processor_count

    def function(self, end):
        function = ctypes.c_void_p()
        _check(_cuda.cuModuleGetFunction(ctypes.byref(function), self.module, (self.name + end).encode()),
               f"cuModuleGetFunction {self.name}{end}")
        return function


class Kernel(Module):
    """One forward kernel: `name` and `name_prepare`."""

    def __init__(self, image, name="attention_forward"):
        super().__init__(image, name)
        self.threads, self.shared, self.rows, self.keys = self.info
        self.prepare = self.function("_prepare")

    def arguments(self, q, k, v, out, lse=None, causal=False, window=(-1, -1), starts_q=None, starts_k=None,
                  tokens_q=None, tokens_k=None, visible=None, scale=None, section=None, longest_first=None,
                  l2_bytes=32 << 20, softcap=0.0, sinks=None):
        """q, k, v, out: [batch, tokens, heads, d], or [tokens, heads, d] with starts; sinks: [heads], fp32."""
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
        if lse is None:
            lse_pointer, lse_strides = 0, (0, 0)
        elif packed:  # [heads, tokens]
            lse_pointer, lse_strides = lse.data_ptr(), (0, lse.stride(0))
        else:  # [batch, heads, tokens]
            lse_pointer, lse_strides = lse.data_ptr(), (lse.stride(0), lse.stride(1))
        if longest_first is None:
            longest_first = int(right != UNLIMITED or visible is not None)
        if section is None:
            # Longest first spreads a section's blocks over time, so its keys and values should stay in the L2 cache;
            # else one head after the other keeps the fewest keys and values in use.
            bytes_per_head = max(1, tokens_k * (k.shape[-1] + v.shape[-1]) * 2)
            section = (max(1, l2_bytes // bytes_per_head) if longest_first else 1) * (heads // kv_heads)
        section = max(1, min(section, heads if packed else heads * batch))
        workspace = torch.zeros(128 * (1 + 3 * batch), dtype=torch.uint8, device="cuda")
        none = 0
        return batch, workspace, struct.pack(
            "<" + HEADER, q.data_ptr(), k.data_ptr(), v.data_ptr(), out.data_ptr(), lse_pointer,
            starts_q.data_ptr() if packed else none, starts_k.data_ptr() if packed else none,
            visible.data_ptr() if visible is not None else none, workspace.data_ptr(),
            *strides(q), *strides(k), *strides(v), *strides(out), *lse_strides,
            batch, heads, kv_heads, tokens_q, tokens_k, left, right, section, longest_first,
            scale if scale is not None else q.shape[-1] ** -0.5, sinks.data_ptr() if sinks is not None else none, softcap,
            *([0] * 5))

    def launcher(self, *tensors, **options):
        """A function that launches once on the current stream; given False, with the descriptors already written."""
        batch, workspace, packed = self.arguments(*tensors, **options)
        buffer = ctypes.create_string_buffer(packed, 256)
        params = (ctypes.c_void_p * 1)(ctypes.addressof(buffer))
        keep = (tensors, options, buffer, workspace)
        grid = ctypes.c_uint(self.processors)

        def launch(prepare=True, _keep=keep):
            stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
            if prepare:
                _check(_cuda.cuLaunchKernel(self.prepare, batch, 1, 1, 96, 1, 1, 0, stream, params, None),
                       "prepare")
            _check(_cuda.cuLaunchKernel(self.main, grid, 1, 1, self.threads, 1, 1, self.shared, stream, params,
                                        None), self.name)

        return launch

    def __call__(self, *tensors, **options):
        self.launcher(*tensors, **options)()
