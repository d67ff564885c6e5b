"""Makes the vision checkpoints of random weights under src/test/resources/vision, and what another implementation computes
with them; and src/test/resources/resampling.json, what Pillow's Image.resize gives.

    python vision.py --output ../resources [--transformers]

Needs PyTorch and Pillow. The reference is one of two, and expected.json says which ("source"):
  without --transformers: the forward passes below, written from the papers and transformers' documentation over PyTorch's
      own layer_norm, softmax, gelu, conv2d and interpolate; in fp32. Pictures are resized by Pillow.
  with --transformers: Hugging Face transformers 5, eager attention, fp32; AutoModel and, for pixels, the slow image
      processors, which resize with Pillow.
Weights come from the seed alone, so that both give the same files but for rounding in the last places. Each case is a model
directory and an expected.json:

    source               what computed it
    images[].png         base64 of a PNG file
    images[].pixels      base64 of little-endian float32, [3, height, width]: what the processor makes of it
    images[].hidden      base64 of little-endian float32, [patches, hidden]: last_hidden_state without class and registers
    images[].normalized  the same, before the gain and bias of the last norm
"""
import argparse
import base64
import io
import json
import shutil
import struct
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F
from PIL import Image

HIDDEN, INNER, LAYERS, HEADS, PATCH = 32, 64, 2, 4, 4
EPSILON = 1e-6
SIZES = [(16, 16), (37, 23), (20, 64), (9, 7)]

SIGLIP_PROCESSOR = dict(image_processor_type="SiglipImageProcessor", do_resize=True, size=dict(height=16, width=16),
                        resample=3, do_rescale=True, rescale_factor=1 / 255, do_normalize=True,
                        image_mean=[0.5, 0.5, 0.5], image_std=[0.5, 0.5, 0.5], do_convert_rgb=True)
DINO_PROCESSOR = dict(image_processor_type="BitImageProcessor", do_resize=True, size=dict(shortest_edge=20), resample=3,
                      do_center_crop=True, crop_size=dict(height=16, width=16), do_rescale=True,
                      rescale_factor=0.00392156862745098, do_normalize=True, image_mean=[0.485, 0.456, 0.406],
                      image_std=[0.229, 0.224, 0.225], do_convert_rgb=True)

SIGLIP = dict(model_type="siglip_vision_model", architectures=["SiglipVisionModel"], hidden_size=HIDDEN,
              intermediate_size=INNER, num_hidden_layers=LAYERS, num_attention_heads=HEADS, image_size=16,
              patch_size=PATCH, num_channels=3, hidden_act="gelu_pytorch_tanh", layer_norm_eps=EPSILON)
DINO = dict(model_type="dinov2", architectures=["Dinov2Model"], hidden_size=HIDDEN, mlp_ratio=2,
            num_hidden_layers=LAYERS, num_attention_heads=HEADS, image_size=28, patch_size=PATCH, num_channels=3,
            hidden_act="gelu", layer_norm_eps=EPSILON, qkv_bias=True, use_swiglu_ffn=False)

CASES = {
    "siglip": (SIGLIP, SIGLIP_PROCESSOR, "F32"),
    "siglip-odd-heads": (dict(SIGLIP, hidden_size=36), SIGLIP_PROCESSOR, "F32"),
    "siglip-pair-bf16": (dict(model_type="siglip", architectures=["SiglipModel"], text_config=dict(hidden_size=HIDDEN, intermediate_size=INNER, num_hidden_layers=1,
                                               num_attention_heads=HEADS, vocab_size=8, bos_token_id=None,
                                               eos_token_id=None, pad_token_id=None),
                              vision_config=SIGLIP), dict(SIGLIP_PROCESSOR, resample=2), "BF16"),
    "siglip2": (dict(SIGLIP, model_type="siglip2_vision_model", architectures=["Siglip2VisionModel"], num_patches=16),
                dict(SIGLIP_PROCESSOR, resample=2), "F32"),
    "dinov2": (DINO, DINO_PROCESSOR, "F32"),
    "dinov2-own-size-fp16": (dict(DINO, image_size=16), DINO_PROCESSOR, "F16"),
    "dinov2-with-registers": (dict(DINO, model_type="dinov2_with_registers", num_register_tokens=3,
                                   architectures=["Dinov2WithRegistersModel"]), DINO_PROCESSOR, "F32"),
}


def weights(config):
    """Names and shapes as transformers writes them; values from one generator."""
    pair = "vision_config" in config
    shape = config["vision_config"] if pair else config
    generator = torch.Generator().manual_seed(7)
    found = {}

    def add(name, *size, mean=0.0, scale=0.1):
        found[name] = mean + scale * torch.randn(*size, generator=generator)

    def linear(name, out, inputs):
        add(name + ".weight", out, inputs, scale=inputs ** -0.5)
        add(name + ".bias", out)

    def norm(name, d):
        add(name + ".weight", d, mean=1.0)
        add(name + ".bias", d)

    d, p = shape["hidden_size"], shape["patch_size"]
    side = shape["image_size"] // p
    if shape["model_type"].startswith("siglip"):
        e = "vision_model.embeddings."
        if shape["model_type"] == "siglip2_vision_model":
            linear(e + "patch_embedding", d, 3 * p * p)
        else:
            add(e + "patch_embedding.weight", d, 3, p, p, scale=(3 * p * p) ** -0.5)
            add(e + "patch_embedding.bias", d)
        add(e + "position_embedding.weight", side * side, d, scale=0.5)
        for i in range(LAYERS):
            b = f"vision_model.encoder.layers.{i}."
            norm(b + "layer_norm1", d)
            for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
                linear(b + "self_attn." + name, d, d)
            norm(b + "layer_norm2", d)
            linear(b + "mlp.fc1", INNER, d)
            linear(b + "mlp.fc2", d, INNER)
        norm("vision_model.post_layernorm", d)
        if pair:
            add("logit_scale", 1)
            add("text_model.embeddings.token_embedding.weight", 8, d)
    else:
        inner = int(d * shape["mlp_ratio"])
        add("embeddings.cls_token", 1, 1, d, scale=0.5)
        add("embeddings.mask_token", 1, d)
        if "num_register_tokens" in shape:
            add("embeddings.register_tokens", 1, shape["num_register_tokens"], d, scale=0.5)
        add("embeddings.position_embeddings", 1, side * side + 1, d, scale=0.5)
        add("embeddings.patch_embeddings.projection.weight", d, 3, p, p, scale=(3 * p * p) ** -0.5)
        add("embeddings.patch_embeddings.projection.bias", d)
        for i in range(LAYERS):
            b = f"encoder.layer.{i}."
            norm(b + "norm1", d)
            for name in ("query", "key", "value"):
                linear(b + "attention.attention." + name, d, d)
            linear(b + "attention.output.dense", d, d)
            add(b + "layer_scale1.lambda1", d, mean=0.5, scale=0.3)
            norm(b + "norm2", d)
            linear(b + "mlp.fc1", inner, d)
            linear(b + "mlp.fc2", d, inner)
            add(b + "layer_scale2.lambda1", d, mean=0.5, scale=0.3)
        norm("layernorm", d)
    return found


def save(folder, tensors, kind):
    """safetensors, as its format says: 8 bytes of length, a JSON header, the numbers. Gives back what was rounded."""
    types = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    header, blobs, at = {"__metadata__": {"format": "pt"}}, [], 0
    rounded = {}
    for name, value in sorted(tensors.items()):
        value = value.to(types[kind])
        rounded[name] = value.float()
        raw = value.view(torch.int16).numpy().tobytes() if kind == "BF16" else value.numpy().tobytes()
        header[name] = dict(dtype=kind, shape=list(value.shape), data_offsets=[at, at + len(raw)])
        blobs.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    return rounded


def picture(width, height, seed):
    """Smooth with edges and noise, so that filters differ."""
    random = numpy.random.RandomState(seed)
    y, x = numpy.mgrid[0:height, 0:width]
    planes = [127 + 120 * numpy.sin(x / (3 + c) + c) * numpy.cos(y / (2 + c)) for c in range(3)]
    image = numpy.stack(planes, -1)
    image[height // 3:, : width // 2] = 255 - image[height // 3:, : width // 2]
    return Image.fromarray(numpy.clip(image + random.randint(-40, 40, image.shape), 0, 255).astype("uint8"))


def process(image, how):
    if "shortest_edge" in how["size"]:
        edge = how["size"]["shortest_edge"]
        short, long = min(image.size), max(image.size)
        other = int(edge * long / short)
        size = (edge, other) if image.size[0] <= image.size[1] else (other, edge)
        image = image.resize(size, how["resample"])
        width, height = how["crop_size"]["width"], how["crop_size"]["height"]
        left, top = (size[0] - width) // 2, (size[1] - height) // 2
        image = image.crop((left, top, left + width, top + height))
    else:
        image = image.resize((how["size"]["width"], how["size"]["height"]), how["resample"])
    pixels = (numpy.asarray(image).astype(numpy.float64) * how["rescale_factor"]).astype(numpy.float32)
    mean, deviation = (numpy.array(how[k], dtype=numpy.float32) for k in ("image_mean", "image_std"))
    return torch.from_numpy(((pixels - mean) / deviation).transpose(2, 0, 1).copy())


def layer_norm(x, w, name):
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], EPSILON)


def linear(x, w, name):
    return F.linear(x, w[name + ".weight"], w[name + ".bias"])


def attention(q, k, v, heads):
    n, d = q.shape
    q, k, v = (t.view(n, heads, d // heads).transpose(0, 1) for t in (q, k, v))
    scores = q @ k.transpose(1, 2) / (d // heads) ** 0.5
    return (scores.softmax(-1) @ v).transpose(0, 1).reshape(n, d)


def forward(shape, w, pixels):
    """[3, height, width] to ([patches, hidden] after the last norm, the same without its gain and bias)."""
    p = shape["patch_size"]
    if shape["model_type"].startswith("siglip"):
        e = "vision_model.embeddings."
        if shape["model_type"] == "siglip2_vision_model":
            c, h, wide = pixels.shape
            cut = pixels.view(c, h // p, p, wide // p, p).permute(1, 3, 2, 4, 0).reshape(-1, p * p * c)
            x = linear(cut, w, e + "patch_embedding")
        else:
            x = F.conv2d(pixels[None], w[e + "patch_embedding.weight"], w[e + "patch_embedding.bias"], stride=p)
            x = x[0].flatten(1).T
        x = x + w[e + "position_embedding.weight"]
        for i in range(LAYERS):
            b = f"vision_model.encoder.layers.{i}."
            n = layer_norm(x, w, b + "layer_norm1")
            q, k, v = (linear(n, w, b + "self_attn." + name) for name in ("q_proj", "k_proj", "v_proj"))
            x = x + linear(attention(q, k, v, shape["num_attention_heads"]), w, b + "self_attn.out_proj")
            n = layer_norm(x, w, b + "layer_norm2")
            x = x + linear(F.gelu(linear(n, w, b + "mlp.fc1"), approximate="tanh"), w, b + "mlp.fc2")
        last, skip = "vision_model.post_layernorm", 0
    else:
        c = "embeddings.patch_embeddings.projection"
        x = F.conv2d(pixels[None], w[c + ".weight"], w[c + ".bias"], stride=p)
        rows, columns = x.shape[2:]
        x = x[0].flatten(1).T
        table = w["embeddings.position_embeddings"][0]
        grid = table[1:]
        side = round(grid.shape[0] ** 0.5)
        if (rows, columns) != (side, side):
            grid = grid.view(1, side, side, -1).permute(0, 3, 1, 2)
            grid = F.interpolate(grid, size=(rows, columns), mode="bicubic", align_corners=False,
                                 antialias="num_register_tokens" in shape)
            grid = grid[0].flatten(1).T
        first = [w["embeddings.cls_token"][0] + table[:1]]
        if "num_register_tokens" in shape:
            first.append(w["embeddings.register_tokens"][0])
        x = torch.cat(first + [x + grid])
        for i in range(LAYERS):
            b = f"encoder.layer.{i}."
            n = layer_norm(x, w, b + "norm1")
            q, k, v = (linear(n, w, b + "attention.attention." + name) for name in ("query", "key", "value"))
            a = linear(attention(q, k, v, shape["num_attention_heads"]), w, b + "attention.output.dense")
            x = x + a * w[b + "layer_scale1.lambda1"]
            n = layer_norm(x, w, b + "norm2")
            x = x + linear(F.gelu(linear(n, w, b + "mlp.fc1")), w, b + "mlp.fc2") * w[b + "layer_scale2.lambda1"]
        last, skip = "layernorm", 1 + shape.get("num_register_tokens", 0)
    return layer_norm(x, w, last)[skip:], F.layer_norm(x, x.shape[-1:], eps=EPSILON)[skip:]


def with_transformers(folder, shape, image, how):
    import transformers

    kind = {"SiglipImageProcessor": "SiglipImageProcessor", "BitImageProcessor": "BitImageProcessor"}
    slow = getattr(transformers, kind[how["image_processor_type"]] + "Pil", None)
    slow = slow or getattr(transformers, kind[how["image_processor_type"]])
    pixels = torch.as_tensor(numpy.asarray(slow(**how)(image)["pixel_values"][0]))
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    model = getattr(model, "vision_model", model)
    inputs = dict(pixel_values=pixels[None])
    if shape["model_type"] == "siglip2_vision_model":
        p = shape["patch_size"]
        c, h, w = pixels.shape
        cut = pixels.view(c, h // p, p, w // p, p).permute(1, 3, 2, 4, 0).reshape(1, -1, p * p * c)
        grid = torch.tensor([[h // p, w // p]])
        inputs = dict(pixel_values=cut, spatial_shapes=grid, pixel_attention_mask=torch.ones(1, cut.shape[1]))
    seen = []
    norm = next(module for name, module in model.named_modules() if name.endswith(("post_layernorm", "layernorm"))
                and isinstance(module, torch.nn.LayerNorm) and "encoder" not in name)
    norm.register_forward_hook(lambda module, args, out: seen.append((args[0].detach(), out.detach())))
    with torch.no_grad():
        model(**inputs)
    skip = 0 if shape["model_type"].startswith("siglip") else 1 + shape.get("num_register_tokens", 0)
    before, after = (t[0] for t in seen[0])
    return pixels, after[skip:], F.layer_norm(before, before.shape[-1:], eps=EPSILON)[skip:]


def text(array):
    return base64.b64encode(numpy.ascontiguousarray(array, dtype="<f4").tobytes()).decode()


def resampling(output):
    sizes = [((37, 23), (16, 16)), ((37, 23), (80, 50)), ((23, 37), (5, 60)), ((200, 9), (7, 9)), ((1, 1), (3, 2)),
             ((64, 48), (64, 20))]
    cases = []
    for seed, (size, target) in enumerate(sizes):
        image = picture(*size, seed)
        for number in range(6):
            cases.append(dict(width=size[0], height=size[1], rgb=base64.b64encode(image.tobytes()).decode(),
                              to_width=target[0], to_height=target[1], filter=number,
                              expected=base64.b64encode(image.resize(target, number).tobytes()).decode()))
    import PIL
    (output / "resampling.json").write_text(json.dumps(dict(source="Pillow " + PIL.__version__, cases=cases)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--transformers", action="store_true")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    resampling(arguments.output)
    for name, (config, how, kind) in CASES.items():
        folder = arguments.output / "vision" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(config, indent=2))
        (folder / "preprocessor_config.json").write_text(json.dumps(how, indent=2))
        w = save(folder, weights(config), kind)
        shape = config.get("vision_config", config)
        images = []
        for seed, size in enumerate(SIZES):
            image = picture(*size, seed)
            png = io.BytesIO()
            image.save(png, "png")
            if arguments.transformers:
                pixels, hidden, normalized = with_transformers(folder, shape, image, how)
            else:
                pixels = process(image, how)
                hidden, normalized = forward(shape, w, pixels)
            images.append(dict(png=base64.b64encode(png.getvalue()).decode(), pixels=text(pixels), hidden=text(hidden),
                               normalized=text(normalized)))
        if arguments.transformers:
            import transformers
            source = "transformers " + transformers.__version__
        else:
            source = "vision.py over PyTorch " + torch.__version__
        (folder / "expected.json").write_text(json.dumps(dict(source=source, images=images)))


if __name__ == "__main__":
    main()
