"""Runs backward kernels on small shapes, every tensor an allocation of its own, for compute-sanitizer; without torch,
which takes long to load there.

    compute-sanitizer --report-api-errors no python3 attention_backward_memcheck.py BUILDS LABEL...
"""

import ctypes
import os
import struct
import sys

import numpy

UNLIMITED = 1 << 29
cuda = ctypes.CDLL("libcuda.so.1")


def check(code, call):
    if code:
        raise RuntimeError(f"{call}: {code}")


def upload(array):
    array = numpy.ascontiguousarray(array)
    pointer = ctypes.c_uint64()
    check(cuda.cuMemAlloc_v2(ctypes.byref(pointer), ctypes.c_size_t(max(16, array.nbytes))), "cuMemAlloc")
    check(cuda.cuMemcpyHtoD_v2(pointer, array.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(array.nbytes)), "copy")
    return pointer.value


def narrow(values, dtype):
    if dtype == "fp16":
        return values.astype(numpy.float16).view(numpy.uint16)
    return (values.astype(numpy.float32).view(numpy.uint32) >> 16).astype(numpy.uint16)


def download(pointer, shape, dtype):
    array = numpy.empty(shape, numpy.uint16)
    check(cuda.cuMemcpyDtoH_v2(array.ctypes.data_as(ctypes.c_void_p), ctypes.c_uint64(pointer),
                               ctypes.c_size_t(array.nbytes)), "copy back")
    return array.view(numpy.float16) if dtype == "fp16" else (array.astype(numpy.uint32) << 16).view(numpy.float32)


def run(module, name, d, dtype, lengths_q, lengths_k, heads, kv_heads, window_right, packed, visible, rotation, processors):
    def function(end):
        found = ctypes.c_void_p()
        check(cuda.cuModuleGetFunction(ctypes.byref(found), module, (name + end).encode()), name + end)
        return found

    pointer, size = ctypes.c_uint64(), ctypes.c_size_t()
    check(cuda.cuModuleGetGlobal_v2(ctypes.byref(pointer), ctypes.byref(size), module, (name + "_info").encode()), "info")
    info = (ctypes.c_int * 4)()
    check(cuda.cuMemcpyDtoH_v2(info, pointer, ctypes.c_size_t(16)), "info")
    threads, shared, rows, sum_bytes = list(info)
    main = function("")
    check(cuda.cuFuncSetAttribute(main, 8, shared), "cuFuncSetAttribute")
    batch = len(lengths_q)
    total_q, total_k = sum(lengths_q), sum(lengths_k)
    random = numpy.random.default_rng()
    q, out, d_out = (upload(narrow(random.standard_normal((total_q, heads, d)), dtype)) for _ in range(3))
    k, v = (upload(narrow(random.standard_normal((total_k, kv_heads, d)), dtype)) for _ in range(2))
    lse = upload(numpy.full((heads, total_q), 4.0, numpy.float32))
    dq = upload(numpy.full((total_q, heads, d), 0x7fff, numpy.uint16))
    dk, dv = (upload(numpy.full((total_k, kv_heads, d), 0x7fff, numpy.uint16)) for _ in range(2))
    starts = [upload(numpy.cumsum([0] + l).astype(numpy.int32)) if packed else 0 for l in (lengths_q, lengths_k)]
    seen = 0
    if visible:
        row = numpy.arange(total_q)
        seen = upload(numpy.stack([row // 100 * 100, numpy.minimum(row + 1, total_k)], 1).astype(numpy.int32))
    tiles = total_q // rows + batch if packed else batch * -(-lengths_q[0] // rows)
    descriptors = upload(numpy.zeros(128 + 512 * batch, numpy.uint8))
    turns = upload(numpy.full(heads * tiles, -1, numpy.int32))
    statistics = upload(numpy.zeros(heads * tiles * 2 * rows, numpy.float32))
    sums = upload(numpy.full(heads * tiles * sum_bytes // 4, numpy.nan, numpy.float32))
    step_q = 0 if packed else lengths_q[0] * heads * d
    step_k = 0 if packed else lengths_k[0] * kv_heads * d
    strides_q, strides_k = (step_q, heads * d, d), (step_k, kv_heads * d, d)
    header = struct.pack("<16Q26q12i2f", q, k, v, out, d_out, lse, dq, dk, dv, *starts, seen, descriptors, turns,
                         statistics, sums, *strides_q, *strides_k, *strides_k, *strides_q, *strides_q, *strides_q,
                         *strides_k, *strides_k, 0 if packed else lengths_q[0], total_q, batch, heads, kv_heads,
                         max(lengths_q), max(lengths_k), tiles, UNLIMITED, window_right, 4, 4, rotation, 0, d ** -0.5, 30.0)
    buffer = ctypes.create_string_buffer(header, 392)
    params = (ctypes.c_void_p * 1)(ctypes.addressof(buffer))
    for kernel, grid, block, memory in ((function("_prepare"), (heads, tiles + batch), 128, 0),
                                        (main, (processors, 1), threads, shared),
                                        (function("_finish"), (heads, tiles), 256, 0)):
        check(cuda.cuLaunchKernel(kernel, *grid, 1, block, 1, 1, memory, None, params, None), "launch")
    check(cuda.cuCtxSynchronize(), "synchronize")
    for gradient, shape in ((dq, (total_q, heads, d)), (dk, (total_k, kv_heads, d)), (dv, (total_k, kv_heads, d))):
        if not numpy.isfinite(download(gradient, shape, dtype)).all():
            raise SystemExit(f"{name}: unwritten gradients")


def main():
    check(cuda.cuInit(0), "cuInit")
    device, context, module = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
    check(cuda.cuDeviceGet(ctypes.byref(device), 0), "cuDeviceGet")
    check(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device), "context")
    check(cuda.cuCtxSetCurrent(context), "context")
    builds = sys.argv[1]
    for line in open(f"{builds}/list.txt"):
        label, image, name, d, dtype = line.split()
        if label not in sys.argv[2:]:
            continue
        with open(os.path.join(builds, image), "rb") as f:
            check(cuda.cuModuleLoadData(ctypes.byref(module), f.read()), "cuModuleLoadData")
        d = int(d)
        run(module, name, d, dtype, [333, 333], [333, 333], 2, 1, 0, False, False, 0, 16)
        run(module, name, d, dtype, [200], [461], 2, 2, UNLIMITED, False, False, 1, 16)
        run(module, name, d, dtype, [100, 0, 257], [150, 3, 257], 2, 1, 0, True, False, -1, 16)
        run(module, name, d, dtype, [300], [300], 2, 1, UNLIMITED, False, True, 0, 16)
        print(label, "ran", flush=True)


if __name__ == "__main__":
    main()
