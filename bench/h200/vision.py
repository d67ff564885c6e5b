#!/usr/bin/env python3
"""The vision encoder on a GPU, beside transformers in the same run: parity, invariance, speed.

    vision.py --java 'java @/opt/java.opts -cp ...' --out DIR PART...

PART    parity       last_hidden_state of every family against transformers, in bf16 and fp32; and the same images in steps of
                     other sizes, to the bit
        speed        images per second at the shape of SigLIP So400m, 224 pixels, patches of 14: steps of 1, 16, 64, from
                     pictures on the host to latents on the host; with the share of the roofline, FLOPs over the rate of the
                     run's own bf16 matrix product; and without anybody who takes the latents
        peers        transformers at that shape: bf16, SDPA, torch.compile, steps of 1, 16, 64 (give it before speed), from pixels
                     in pinned memory to latents in pinned memory, two steps on their way at a time as ours
        warm         compiles that model, and keeps what torch.compile leaves in its cache for peers
        pipeline     images per second through the engine from JPEG files, a thread for each processor decoding and resizing
        kernels      what the kernels of a step of 64 take, by Nsight Compute
Writes DIR/<bench>.jsonl, one object a line, in the form of the project's results. The class path needs gpu's classes and
test classes.
"""
import argparse
import concurrent.futures
import csv
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import numpy
import torch
import transformers
from PIL import Image

import engine
import vision_so400m

WORK = pathlib.Path("/tmp/paloverde-vision")

SO400M, SIGLIP_PROCESSOR = vision_so400m.SHAPE, vision_so400m.PROCESSOR
TOKENS = 256
STEPS = (1, 16, 64)
SHAPE = dict(hidden_size=512, num_hidden_layers=4, num_attention_heads=8, patch_size=14, image_size=224)
FAMILIES = {
    "siglip": (transformers.SiglipVisionConfig, transformers.SiglipVisionModel,
               dict(SHAPE, intermediate_size=1024, vision_use_head=False)),
    "siglip-72": (transformers.SiglipVisionConfig, transformers.SiglipVisionModel,
                  dict(SHAPE, hidden_size=576, intermediate_size=1024, vision_use_head=False)),
    "dinov2": (transformers.Dinov2Config, transformers.Dinov2Model, dict(SHAPE, image_size=518, mlp_ratio=4)),
    "dinov2-with-registers": (transformers.Dinov2WithRegistersConfig, transformers.Dinov2WithRegistersModel,
                              dict(SHAPE, image_size=518, mlp_ratio=4, num_register_tokens=4)),
}
DINO_PROCESSOR = dict(image_processor_type="BitImageProcessor", do_resize=True, size=dict(shortest_edge=256), resample=3,
                      do_center_crop=True, crop_size=dict(height=224, width=224), do_rescale=True,
                      rescale_factor=1 / 255, do_normalize=True, image_mean=[0.485, 0.456, 0.406],
                      image_std=[0.229, 0.224, 0.225])


def probe(java, *arguments):
    return engine.probe(java, *arguments, program="dev.paloverde.gpu.vision.VisionProbe")


def make(name, config, kind, processor, seed=0):
    """A model of random weights on the GPU, and its directory."""
    torch.manual_seed(seed)
    with torch.device("cuda"):
        model = kind(config).to(torch.bfloat16)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if parameter_name.endswith("lambda1"):
                parameter.normal_(0.5, 0.2)
            elif "position" in parameter_name or "token" in parameter_name:
                parameter.normal_(0, 0.3)
            elif parameter.dim() >= 2:
                parameter.normal_(0, (parameter[0].numel()) ** -0.5)
            elif "bias" in parameter_name:
                parameter.normal_(0, 0.1)
            else:
                parameter.normal_(1, 0.1)
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return model.eval(), folder


def image(path, i, side):
    random = numpy.random.RandomState(i)
    small = random.randint(0, 256, (9 + i % 5, 12, 3)).astype("uint8")
    Image.fromarray(small).resize((side[0] + 7 * (i % 9), side[1]), Image.BICUBIC).save(path)


def images(count, folder, side=(400, 300)):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    kind = "jpg" if count > 100 else "png"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda i: image(folder / f"{i:05}.{kind}", i, side), range(count)))
    return sorted(folder.iterdir())


def pixels(path, how):
    image = Image.open(path).convert("RGB")
    if "shortest_edge" in how["size"]:
        edge = how["size"]["shortest_edge"]
        short, long = min(image.size), max(image.size)
        other = int(edge * long / short)
        image = image.resize((edge, other) if image.size[0] <= image.size[1] else (other, edge), how["resample"])
        left, top = (image.size[0] - 224) // 2, (image.size[1] - 224) // 2
        image = image.crop((left, top, left + 224, top + 224))
    else:
        image = image.resize((224, 224), how["resample"])
    array = (numpy.asarray(image).astype(numpy.float64) * how["rescale_factor"]).astype(numpy.float32)
    mean, deviation = (numpy.array(how[k], dtype=numpy.float32) for k in ("image_mean", "image_std"))
    return torch.from_numpy(((array - mean) / deviation).transpose(2, 0, 1).copy())


def parity(java, results):
    paths = images(7, WORK / "images")
    models = {}
    for name, (config_kind, kind, shape) in FAMILIES.items():
        processor = DINO_PROCESSOR if name.startswith("dino") else SIGLIP_PROCESSOR
        models[name] = make(name, config_kind(**shape), kind, processor)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = pool.map(lambda name: probe(java, "latents", models[name][1], "cuda", WORK / "images", WORK / f"{name}.latents",
                                            "--", "invariance", models[name][1], "cuda", 33), models)
        for name, rows in zip(models, found):
            print(name, rows, flush=True)
    for name, (_, kind, shape) in FAMILIES.items():
        model, folder = models[name]
        processor = json.loads((folder / "preprocessor_config.json").read_text())
        skip = 0 if name.startswith("siglip") else 1 + shape.get("num_register_tokens", 0)
        ours = torch.from_numpy(numpy.fromfile(WORK / f"{name}.latents", dtype="<f4")).cuda()
        ours = ours.reshape(len(paths), TOKENS, shape["hidden_size"])
        batch = torch.stack([pixels(path, processor) for path in paths]).cuda()
        with torch.no_grad():
            low = model(batch.to(torch.bfloat16)).last_hidden_state[:, skip:].float()
            exact = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").cuda().eval()
            full = exact(batch).last_hidden_state[:, skip:]
        error = ((ours - full).norm() / full.norm()).item()
        theirs = ((low - full).norm() / full.norm()).item()
        results.add("vision-parity", dict(family=name), error, theirs, "transformers bf16",
                    "relative error against fp32", theirs / error)
        if not error <= 2 * theirs:
            raise RuntimeError(f"{name}: error {error} is more than twice {theirs}")


def so400m():
    folder = WORK / "so400m"
    if not folder.exists():
        vision_so400m.write(folder)
    return folder


def flops():
    """Of one image: products and attention, two for a multiplication and an addition; heads are 72 wide."""
    d, inner, layers = SO400M["hidden_size"], SO400M["intermediate_size"], SO400M["num_hidden_layers"]
    products = 2 * TOKENS * (layers * (4 * d * d + 2 * d * inner) + 3 * 14 * 14 * d)
    return products + layers * 4 * TOKENS * TOKENS * d


def product_rate():
    """FLOP/s of torch's bf16 product of large matrices, the median of ten."""
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    times = []
    for i in range(13):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        a @ a
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return 2 * 8192 ** 3 / statistics.median(times[3:])


def peer():
    model = transformers.SiglipVisionModel.from_pretrained(so400m(), dtype=torch.bfloat16, attn_implementation="sdpa")
    model = model.cuda().eval()

    def encode(samples):
        pixels = samples.to(torch.float32).mul_(1 / 127.5).sub_(1).to(torch.bfloat16)
        return model(pixels).last_hidden_state

    return torch.compile(encode, dynamic=False)


def warm():
    compiled = peer()
    with torch.no_grad():
        for step in STEPS:
            compiled(torch.zeros(step, 3, 224, 224, device="cuda", dtype=torch.uint8))
    torch.cuda.synchronize()


def peers():
    compiled = peer()
    speeds = {}
    with torch.no_grad():
        for step in STEPS:
            samples = torch.randint(0, 256, (step, 3, 224, 224), dtype=torch.uint8).pin_memory()
            latents = [torch.empty(step, TOKENS, SO400M["hidden_size"], dtype=torch.bfloat16).pin_memory() for _ in range(2)]
            there = [torch.cuda.Event() for _ in range(2)]

            def run(rounds):
                torch.cuda.synchronize()
                begin = time.perf_counter()
                for i in range(rounds):
                    if i > 1:
                        there[i % 2].synchronize()
                    latents[i % 2].copy_(compiled(samples.to("cuda", non_blocking=True)), non_blocking=True)
                    there[i % 2].record()
                torch.cuda.synchronize()
                return step * rounds / (time.perf_counter() - begin)

            run(4)
            speeds[step] = statistics.median(run(max(10, 256 // step)) for _ in range(3))
            print("transformers", step, speeds[step], flush=True)
    del compiled
    torch.cuda.empty_cache()
    return speeds


def speed(java, results, theirs):
    folder = so400m()
    roof = product_rate() / flops()
    torch.cuda.empty_cache()
    rows = probe(java, "speed", folder, "cuda", ",".join(map(str, STEPS)), 10)
    for step in STEPS:
        ours, model = (statistics.median(row["images_per_second"] for row in rows
                                         if row["step"] == step and row["of"] == what) for what in ("engine", "model"))
        case = dict(shape="so400m", tokens=TOKENS, step=step)
        results.add("vision-roofline", case, ours, roof, "FLOPs over the rate of torch's bf16 product of 8192", "images/s",
                    ours / roof)
        results.add("vision-roofline", dict(case, part="model alone"), model, roof,
                    "FLOPs over the rate of torch's bf16 product of 8192", "images/s", model / roof)
        if theirs:
            results.add("vision-speed", case, ours, theirs[step], "transformers bf16, SDPA, torch.compile", "images/s",
                        ours / theirs[step])


def pipeline(java, results):
    images(1600, WORK / "many")
    rows = probe(java, "pipeline", so400m(), "cuda", 64, WORK / "many")
    results.add("vision-pipeline", dict(shape="so400m", files="JPEG of about 430 x 300", threads=rows[-1]["threads"]),
                rows[-1]["images_per_second"], None, None, "images/s", None)


def kernels(java):
    """Nsight Compute on one step of the second time the model runs: every kernel alone, its operands' memory as it left it."""
    ncu = shutil.which("ncu") or "/usr/local/cuda/bin/ncu"
    done = subprocess.run([ncu, "--metrics", "gpu__time_duration.sum", "--csv", "--page", "raw", "--clock-control", "none",
                           "--cache-control", "none", "--launch-skip", "700", "--launch-count", "193", "--kill", "yes", *java,
                           "dev.paloverde.gpu.vision.VisionProbe", "speed", str(so400m()), "cuda", "64", "8"],
                          capture_output=True, text=True, timeout=60)
    table = [row for row in csv.reader(done.stdout.splitlines()) if len(row) > 10]
    if not table:
        print(done.stdout[-1000:], done.stderr[-1000:], flush=True)
        return
    name, time_column = table[0].index("Kernel Name"), table[0].index("gpu__time_duration.sum")
    print("unit:", table[1][time_column])
    times = {}
    for row in table[2:]:
        times.setdefault(row[name], []).append(float(row[time_column].replace(",", "")))
    for kernel, each in sorted(times.items(), key=lambda item: -sum(item[1])):
        print(f"{sum(each):12.1f} {len(each):4} x {statistics.median(each):10.2f}  {kernel}")
    print("all:", sum(map(sum, times.values())), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--java", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("parts", nargs="+")
    arguments = parser.parse_args()
    java = arguments.java.split()
    WORK.mkdir(exist_ok=True)
    results = engine.Results(arguments.out)
    failed, theirs = [], None
    for part in arguments.parts:
        begin = time.time()
        try:
            if part == "parity":
                parity(java, results)
            elif part == "warm":
                warm()
            elif part == "kernels":
                kernels(java)
            elif part == "peers":
                theirs = peers()
            elif part == "speed":
                speed(java, results, theirs)
            elif part == "pipeline":
                pipeline(java, results)
            else:
                raise ValueError(part)
        except Exception as e:
            print(f"{part} FAILED: {e!r}", flush=True)
            failed.append(part)
        print(f"-- {part}: {time.time() - begin:.1f} s", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
