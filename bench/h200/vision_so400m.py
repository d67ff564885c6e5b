#!/usr/bin/env python3
"""Writes a SigLIP directory of the shape of So400m, 224 pixels, with weights that are good for measuring time alone: one block
of random numbers over and over, scaled by the inputs of each matrix. Needs numpy.

    vision_so400m.py DIR
"""
import json
import pathlib
import struct
import sys

import numpy

SHAPE = dict(hidden_size=1152, intermediate_size=4304, num_hidden_layers=27, num_attention_heads=16, image_size=224,
             patch_size=14, vision_use_head=False)
PROCESSOR = dict(image_processor_type="SiglipImageProcessor", do_resize=True, size=dict(height=224, width=224),
                 resample=2, do_rescale=True, rescale_factor=1 / 255, do_normalize=True,
                 image_mean=[0.5] * 3, image_std=[0.5] * 3)
BLOCK = (1 << 20) + 7


def shapes():
    hidden, inner, patch = SHAPE["hidden_size"], SHAPE["intermediate_size"], SHAPE["patch_size"]
    tokens = (SHAPE["image_size"] // patch) ** 2
    yield "embeddings.patch_embedding.weight", (hidden, 3, patch, patch)
    yield "embeddings.patch_embedding.bias", (hidden,)
    yield "embeddings.position_embedding.weight", (tokens, hidden)
    for layer in range(SHAPE["num_hidden_layers"]):
        block = f"encoder.layers.{layer}."
        for name in ("k_proj", "out_proj", "q_proj", "v_proj"):
            yield f"{block}self_attn.{name}.weight", (hidden, hidden)
            yield f"{block}self_attn.{name}.bias", (hidden,)
        yield block + "mlp.fc1.weight", (inner, hidden)
        yield block + "mlp.fc1.bias", (inner,)
        yield block + "mlp.fc2.weight", (hidden, inner)
        yield block + "mlp.fc2.bias", (hidden,)
        for name in ("layer_norm1", "layer_norm2"):
            yield f"{block}{name}.weight", (hidden,)
            yield f"{block}{name}.bias", (hidden,)
    yield "post_layernorm.weight", (hidden,)
    yield "post_layernorm.bias", (hidden,)


def bf16(numbers):
    bits = numbers.astype("<f4").view("<u4")
    return (bits + 0x7fff + (bits >> 16 & 1) >> 16).astype("<u2")


def write(folder):
    folder.mkdir(parents=True, exist_ok=True)
    normal = numpy.random.RandomState(5).standard_normal(BLOCK).astype("<f4")
    scaled, header, at = {}, {"__metadata__": {"format": "pt"}}, 0
    tensors = list(shapes())
    for name, shape in tensors:
        size = 2 * int(numpy.prod(shape))
        header["vision_model." + name] = dict(dtype="BF16", shape=list(shape), data_offsets=[at, at + size])
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors:
            gain = len(shape) == 1 and name.endswith("weight")
            scale = 0.1 if len(shape) == 1 else 0.3 if "position" in name else float(numpy.prod(shape[1:])) ** -0.5
            if (gain, scale) not in scaled:
                scaled[gain, scale] = bf16(normal * numpy.float32(scale) + numpy.float32(gain))
            block, left = scaled[gain, scale], int(numpy.prod(shape))
            while left > 0:
                file.write(block[:left].tobytes())
                left -= min(left, BLOCK)
    (folder / "config.json").write_text(json.dumps(dict(
        SHAPE, model_type="siglip_vision_model", architectures=["SiglipVisionModel"], num_channels=3,
        hidden_act="gelu_pytorch_tanh", layer_norm_eps=1e-6)))
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
