"""Makes src/test/resources/perceptual-hashes.json: pictures and their perceptual hashes, computed with Pillow and numpy as
the ImageHash library's phash does (luminance, 32 x 32 by Lanczos, DCT-II along both sides, the lowest 8 x 8, above the median).

    python perceptual_hash.py --output ../resources
"""
import argparse
import base64
import io
import json
from pathlib import Path

import numpy
import PIL
from PIL import Image


def phash(image):
    pixels = numpy.asarray(image.convert("L").resize((32, 32), Image.LANCZOS)).astype(numpy.float64)
    n = numpy.arange(32)
    basis = 2 * numpy.cos(numpy.pi * numpy.arange(32)[:, None] * (2 * n[None, :] + 1) / 64)
    low = (basis @ pixels @ basis.T)[:8, :8]
    # coefficients that are zero but for rounding count as zero
    low = numpy.rint(low * 1024) / 1024
    bits = (low > numpy.median(low)).flatten()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def picture(width, height, seed):
    random = numpy.random.RandomState(seed)
    y, x = numpy.mgrid[0:height, 0:width]
    a, b, c = random.uniform(5, 40, 3)
    planes = [127 + 90 * numpy.sin(x / (a + i) + i) * numpy.cos(y / (b + i)) + 30 * numpy.sin((x + y) / c) for i in range(3)]
    return Image.fromarray(numpy.clip(numpy.stack(planes, -1), 0, 255).astype("uint8"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", required=True, type=Path)
    output = parser.parse_args().output
    images = [picture(64 + 13 * i, 48 + 7 * i, i) for i in range(8)]
    images += [images[0].resize((200, 150), Image.BICUBIC), images[1].convert("L").convert("RGB"),
               Image.new("RGB", (40, 40), (90, 130, 10)), Image.new("RGB", (33, 20), (255, 255, 255))]
    cases = []
    for image in images:
        png = io.BytesIO()
        image.save(png, "png")
        cases.append(dict(png=base64.b64encode(png.getvalue()).decode(), hash="%016x" % phash(image)))
    (output / "perceptual-hashes.json").write_text(
        json.dumps(dict(source=f"Pillow {PIL.__version__}, numpy {numpy.__version__}", cases=cases)))


if __name__ == "__main__":
    main()
