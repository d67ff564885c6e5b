"""Loads the matrix-product kernels through the CUDA driver API, as the engine does, and launches them on torch tensors."""

import ctypes
import os
import struct

import torch

EPILOGUES = ["store", "add", "gated", "logits", "score", "choose"]

_cuda = ctypes.CDLL("libcuda.so.1")


def _check(code, call):
    if code:
        name = ctypes.c_char_p()
        _cuda.cuGetErrorName(code, ctypes.byref(name))
        raise RuntimeError(f"{call}: {name.value.decode() if name.value else code}")


class _Attribute(ctypes.Structure):
    _fields_ = [("id", ctypes.c_int), ("pad", ctypes.c_int), ("value", ctypes.c_int), ("rest", ctypes.c_int * 15)]


class _Config(ctypes.Structure):
    _fields_ = [("grid", ctypes.c_uint * 3), ("block", ctypes.c_uint * 3), ("shared", ctypes.c_uint),
                ("stream", ctypes.c_void_p), ("attributes", ctypes.POINTER(_Attribute)), ("count", ctypes.c_uint)]


class Entry:
    """One kernel of the catalog."""

    def __init__(self, module, row, weights=""):
        code, self.rows, self.outputs, self.cluster, self.threads, self.shared, self.tile, self.rest = row
        self.epilogue = EPILOGUES[code]
        self.name = f"products_{self.epilogue}{weights}_r{self.rows}_n{self.outputs}"
        self.function = module.function(self.name)
        _check(_cuda.cuFuncSetAttribute(self.function, 8, self.shared), "cuFuncSetAttribute")

    def __repr__(self):
        return self.name


class Module:
    def __init__(self, image, weights=""):
        torch.zeros(1, device="cuda")  # makes torch's context current
        self.module = ctypes.c_void_p()
        with open(image, "rb") as f:
            self.image = f.read()
        _check(_cuda.cuModuleLoadData(ctypes.byref(self.module), self.image), "cuModuleLoadData " + image)
        pointer, size = ctypes.c_uint64(), ctypes.c_size_t()
        _check(_cuda.cuModuleGetGlobal_v2(ctypes.byref(pointer), ctypes.byref(size), self.module,
                                          b"products_catalog"), "cuModuleGetGlobal")
        raw = (ctypes.c_int * (size.value // 4))()
        _check(_cuda.cuMemcpyDtoH_v2(raw, pointer, size), "cuMemcpyDtoH")
        self.entries = [Entry(self, list(raw)[1 + 8 * i:9 + 8 * i], weights) for i in range(raw[0])]

    def function(self, name):
        function = ctypes.c_void_p()
        _check(_cuda.cuModuleGetFunction(ctypes.byref(function), self.module, name.encode()), name)
        return function


def launch(function, grid, threads, shared, parameter, programmatic):
    buffer = ctypes.create_string_buffer(parameter, len(parameter))
    parameters = (ctypes.c_void_p * 1)(ctypes.addressof(buffer))
    attribute = _Attribute(id=6, value=1)  # programmatic stream serialization
    config = _Config((grid, 1, 1), (threads, 1, 1), shared, torch.cuda.current_stream().cuda_stream,
                     ctypes.pointer(attribute), 1 if programmatic else 0)
    _check(_cuda.cuLaunchKernelEx(ctypes.byref(config), function, parameters, None), "cuLaunchKernelEx")


def pad(n):
    return (n + 63) // 64 * 64


class Family:
    def __init__(self, folder):
        self.base = Module(os.path.join(folder, "products.fatbin"))
        self.head = Module(os.path.join(folder, "products_head.fatbin"))
        self.fp8 = Module(os.path.join(folder, "products_fp8.fatbin"), "_fp8")
        self.quantize_function = self.fp8.function("products_quantize")
        self.processors = torch.cuda.get_device_properties(0).multi_processor_count
        self.entries = self.base.entries + self.head.entries
        self.describe_function = self.base.function("products_describe")
        self.tile_function = self.base.function("products_tile")
        self.finish = {e: self.head.function(f"products_{e}_finish") for e in ("score", "choose")}

    def of(self, epilogue):
        return [e for e in self.entries if e.epilogue == epilogue]

    def pick(self, epilogue, rows, n):
        """The rule of products.cuh."""
        entries = self.of(epilogue)
        heights = sorted({e.rows for e in entries})
        height = next((r for r in heights if r >= rows), heights[-1])
        blocks = -(-rows // height) * (2 if height == 256 else 1)
        return min((e for e in entries if e.rows == height),
                   key=lambda e: (-(-blocks * -(-n // e.outputs) // self.processors) * (e.outputs + 16), e.outputs))

    def pick_fp8(self, epilogue, rows, n, k):
        """The rule of products_fp8.cuh."""
        return min((e for e in self.fp8.entries if e.epilogue == epilogue),
                   key=lambda e: -(-(-(-rows // e.rows) * -(-n // e.outputs)) // self.processors) * (k // 64 * e.tile + e.rest))

    def named(self, name):
        return next(e for e in self.entries if e.name == name)

    def describe(self, x):
        """The descriptors of X [capacity, k], bf16."""
        memory = torch.zeros(256, dtype=torch.uint8, device="cuda")
        assert memory.data_ptr() % 128 == 0 and x.dtype == torch.bfloat16 and x.shape[1] % 64 == 0
        launch(self.describe_function, 1, 32, 0,
               struct.pack("<QQiiii", memory.data_ptr(), x.data_ptr(), x.shape[1], x.shape[0], x.stride(0), 0), False)
        return memory

    def tile(self, source, w, first=0, placement=0, flag=None):
        """Rows of a row-major matrix into W (bf16, flat)."""
        kind = {torch.bfloat16: 0, torch.float16: 1, torch.float32: 2}[source.dtype]
        rows, columns = source.shape
        launch(self.tile_function, 4 * self.processors, 256, 0,
               struct.pack("<QQQqiiiiii", source.data_ptr(), w.data_ptr(), flag.data_ptr() if flag is not None else 0,
                           source.stride(0), rows, columns, first, pad(columns), kind, placement), False)

    def quantize(self, source, w, scales, first=0, placement=0, flag=None):
        """Rows of a row-major matrix into W (e4m3, flat) and its scales."""
        kind = {torch.bfloat16: 0, torch.float16: 1, torch.float32: 2}[source.dtype]
        rows, columns = source.shape
        launch(self.quantize_function, 4 * self.processors, 256, 0,
               struct.pack("<QQQQqiiiiii", source.data_ptr(), w.data_ptr(), scales.data_ptr(),
                           flag.data_ptr() if flag is not None else 0, source.stride(0), rows, columns, first,
                           pad(columns), kind, placement), False)

    def grid(self, entry):
        return self.processors // entry.cluster * entry.cluster

    def product(self, entry, map, w, out, rows, k, n, bias=None, programmatic=False, scales=None):
        """rows: one int on the device. scales: with e4m3 weights."""
        parameter = struct.pack("<QQQQQiiiiQ", map.data_ptr(), w.data_ptr(), bias.data_ptr() if bias is not None else 0,
                                out.data_ptr(), rows.data_ptr(), k, n, out.stride(0), 0,
                                scales.data_ptr() if scales is not None else 0)
        launch(entry.function, self.grid(entry), entry.threads, entry.shared, parameter, programmatic)

    def score(self, entry, map, w, rows, targets, workspace, log_probability, best, flags, k, n, bias=None,
              programmatic=False):
        parameter = struct.pack("<QQQQQQQQQiiiiii", map.data_ptr(), w.data_ptr(), bias.data_ptr() if bias is not None else 0,
                                rows.data_ptr(), targets.data_ptr(), workspace.data_ptr(), log_probability.data_ptr(),
                                best.data_ptr(), flags.data_ptr(), k, n, 0, 0, 0, 0)
        launch(entry.function, self.grid(entry), entry.threads, entry.shared, parameter, programmatic)
        launch(self.finish["score"], targets.numel(), 128, 0, parameter, programmatic)

    def choose(self, entry, map, w, rows, draws, workspace, tokens, log_probability, flags, k, n, bias=None,
               programmatic=False):
        """draws: int32 [rows, 8], temperature as the bits of a float."""
        parameter = struct.pack("<QQQQQQQQQiiiiii", map.data_ptr(), w.data_ptr(), bias.data_ptr() if bias is not None else 0,
                                rows.data_ptr(), draws.data_ptr(), workspace.data_ptr(), tokens.data_ptr(),
                                log_probability.data_ptr(), flags.data_ptr(), k, n, 0, 0, 0, 0)
        launch(entry.function, self.grid(entry), entry.threads, entry.shared, parameter, programmatic)
        launch(self.finish["choose"], draws.shape[0], 128, 0, parameter, programmatic)
