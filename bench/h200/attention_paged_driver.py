"""Loads the kernels of attention over a paged cache through the CUDA driver API and runs steps of it on torch tensors."""

import ctypes
import struct

import torch

NO_WINDOW = 0x7FFFFFFF

_cuda = ctypes.CDLL("libcuda.so.1")


def _check(code, call):
    if code:
        name = ctypes.c_char_p()
        _cuda.cuGetErrorName(code, ctypes.byref(name))
        raise RuntimeError(f"{call}: {name.value.decode() if name.value else code}")


class Module:
    def __init__(self, image):
        torch.zeros(1, device="cuda")  # makes torch's context current
        self.module = ctypes.c_void_p()
        with open(image, "rb") as f:
            self.image = f.read()
        _check(_cuda.cuModuleLoadData(ctypes.byref(self.module), self.image), "cuModuleLoadData " + image)

    def function(self, name, shared=0):
        function = ctypes.c_void_p()
        _check(_cuda.cuModuleGetFunction(ctypes.byref(function), self.module, name.encode()), name)
        if shared:
            _check(_cuda.cuFuncSetAttribute(function, 8, shared), name)
        local = ctypes.c_int()
        _check(_cuda.cuFuncGetAttribute(ctypes.byref(local), 3, function), name)
        assert local.value == 0, f"{name}: {local.value} bytes of local memory"
        return function

    def integers(self, name, count):
        pointer, size = ctypes.c_uint64(), ctypes.c_size_t()
        _check(_cuda.cuModuleGetGlobal_v2(ctypes.byref(pointer), ctypes.byref(size), self.module, name.encode()), name)
        values = (ctypes.c_int * count)()
        _check(_cuda.cuMemcpyDtoH_v2(values, pointer, ctypes.c_size_t(4 * count)), name)
        return list(values)


class _Attribute(ctypes.Structure):
    _fields_ = [("id", ctypes.c_int), ("pad", ctypes.c_int), ("value", ctypes.c_int), ("rest", ctypes.c_char * 60)]


class _Config(ctypes.Structure):
    _fields_ = [("grid", ctypes.c_uint * 3), ("block", ctypes.c_uint * 3), ("shared", ctypes.c_uint),
                ("stream", ctypes.c_void_p), ("attributes", ctypes.POINTER(_Attribute)), ("count", ctypes.c_uint)]


def launch(function, blocks, threads, shared, packed, programmatic=True):
    """programmatic: the kernel may start while the one before it ends."""
    buffer = ctypes.create_string_buffer(packed, len(packed))
    params = (ctypes.c_void_p * 1)(ctypes.addressof(buffer))
    attribute = _Attribute(id=6, value=1)
    config = _Config((blocks, 1, 1), (threads, 1, 1), shared, torch.cuda.current_stream().cuda_stream,
                     ctypes.pointer(attribute), 1 if programmatic else 0)
    _check(_cuda.cuLaunchKernelEx(ctypes.byref(config), function, params, None), "cuLaunchKernelEx")


class Kernels:
    def __init__(self, folder):
        self.folder = folder
        plan = Module(folder + "/attention_paged_plan.cubin")
        prepare = Module(folder + "/attention_paged_prepare.cubin")
        self.plan = plan.function("attention_plan")
        self.prepare = prepare.function("attention_prepare")
        self.copy_page = prepare.function("attention_copy_page")
        self.main = Module(folder + "/attention_paged.cubin")
        self.merge = self.main.function("attention_paged_merge")
        self.attention = {}
        self.processors = torch.cuda.get_device_properties(0).multi_processor_count

    def kernel(self, width, tile):
        name = f"attention_paged_{width}_{tile}"
        if name not in self.attention:
            info = self.main.integers(name + "_info", 4)
            self.attention[name] = (self.main.function(name, info[1]), info)
        return self.attention[name]


def tiles(width):
    """Rows of a tile, of the kernels that there are for a width."""
    return (16, 64, large(width)) if 32 < width <= 128 else (16, 64)


def large(width):
    return 256 if width <= 64 else 128


def held(width):
    return next(w for w in (32, 64, 96, 128, 256) if w >= width)


class Cache:
    """bf16 [pages, layers, 2, heads, page_tokens, width]."""

    def __init__(self, pages, layers, heads, page_tokens, width, fill="normal"):
        self.shape = (pages, layers, 2, heads, page_tokens, width)
        if fill == "normal":
            self.data = torch.randn(self.shape, device="cuda", dtype=torch.bfloat16)
        else:
            self.data = torch.full(self.shape, float(fill), device="cuda", dtype=torch.bfloat16)
        self.pages, self.layers, _, self.heads, self.page_tokens, self.width = self.shape


class Step:
    """Sequences of a step, on the device. lengths: keys of each sequence, the new rows' own included; rows: new rows."""

    def __init__(self, kernels, cache, table, lengths, rows, group, tile, window=None, slots=1024, slot_rows=None,
                 blocks=None, scale=None, max_sequences=None, max_rows=None):
        self.kernels, self.cache, self.table = kernels, cache, table
        self.group, self.tile, self.window = group, tile, window or NO_WINDOW
        self.scale = scale if scale is not None else cache.width ** -0.5
        self.lengths, self.rows = list(lengths), list(rows)
        self.sequences = len(self.rows)
        n = sum(self.rows)
        max_sequences = max_sequences or max(1, self.sequences)
        max_rows = max_rows or max(1, n)
        starts = [0]
        for r in self.rows:
            starts.append(starts[-1] + r)
        self.count = torch.tensor([self.sequences], dtype=torch.int32, device="cuda")
        self.row_count = torch.tensor([n], dtype=torch.int32, device="cuda")
        self.starts = torch.tensor(starts, dtype=torch.int32, device="cuda")
        self.positions = torch.tensor(
            [l - r + i for l, r in zip(self.lengths, self.rows) for i in range(r)] or [0], dtype=torch.int32, device="cuda")
        self.pages = torch.full((max(1, n),), -1, dtype=torch.int32, device="cuda")
        self.function, self.info = kernels.kernel(held(cache.width), tile)
        self.blocks = blocks or kernels.processors * self.info[3]
        self.groups = self.blocks * self.info[2]
        self.slots = slots
        self.slot_rows = slot_rows or min(tile, max([1] + [r * group for r in self.rows if r <= 16]))
        self.items = max_sequences + (max_rows * group + tile - 1) // tile + slots
        self.plan_bytes = 64 + 64 * self.items
        self.plan = torch.full((self.plan_bytes,), 0x7F, dtype=torch.uint8, device="cuda")
        w = held(cache.width)
        self.scratch = torch.full(
            (slots * cache.heads * self.slot_rows * (w + 2) + self.groups * tile * (w + 8),), float("nan"), device="cuda")

    def make_plan(self):
        launch(self.kernels.plan, 1, 1024, 0, struct.pack(
            "<6Q10i", self.count.data_ptr(), self.starts.data_ptr(), self.positions.data_ptr(), self.table.data_ptr(),
            self.pages.data_ptr(), self.plan.data_ptr(), self.table.stride(0), self.cache.page_tokens, self.group,
            self.cache.heads, self.window, self.tile, self.groups, self.slot_rows, self.slots, self.items))

    def header(self):
        return self.plan[:12].view(torch.int32).tolist()

    def argument(self, query, out, layer=0, visible=None):
        return struct.pack(
            "<7Q13if", query.data_ptr(), self.cache.data.data_ptr(), self.table.data_ptr(),
            visible.data_ptr() if visible is not None else 0, self.plan.data_ptr(), self.scratch.data_ptr(),
            out.data_ptr(), query.stride(0), out.stride(0), self.table.stride(0), self.cache.page_tokens, layer,
            self.cache.layers, self.cache.heads, self.group, self.cache.width, self.window, self.slot_rows, self.slots,
            self.items, self.scale)

    def attend(self, query, out, layer=0, visible=None, merge=True):
        packed = self.argument(query, out, layer, visible)
        launch(self.function, self.blocks, self.info[0], self.info[1], packed)
        if merge:
            launch(self.kernels.merge, 2 * self.kernels.processors, 256, 0, packed)

    def prepare(self, query, key, value, layer=0, query_gain=None, key_gain=None, cosine=None, sine=None,
                rotary_positions=None, epsilon=1e-6):
        def pointer(t):
            return t.data_ptr() if t is not None else 0

        launch(self.kernels.prepare, 2 * self.kernels.processors, 256, 0, struct.pack(
            "<12Q10ifi", self.row_count.data_ptr(), self.positions.data_ptr(), self.pages.data_ptr(),
            pointer(rotary_positions), query.data_ptr(), key.data_ptr(), value.data_ptr(), self.cache.data.data_ptr(),
            pointer(query_gain), pointer(key_gain), pointer(cosine), pointer(sine), query.stride(0), key.stride(0),
            value.stride(0), self.cache.heads * self.group, self.cache.heads, self.cache.width,
            2 * cosine.shape[1] if cosine is not None else 0, self.cache.page_tokens, layer, self.cache.layers,
            epsilon, 0))
