"""Makes the test pictures of test/fixtures/images and what Pillow and transformers make of them.

Usage: python reference/make_images.py [OUTPUT_DIR] [VQA_RAD_IMAGES_DIR]

Needs numpy, Pillow 12.3 and transformers 5.18. Every expected value is a SHA-256 or a plain number, so the tests
compare for equality. The second folder is read if it is there; only hashes of its pictures are written.
"""

import hashlib
import io
import json
import struct
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import PIL
import transformers
from PIL import Image, ImageCms
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil, smart_resize

WIDTH, HEIGHT = 37, 29
TARGETS = [(56, 28), (28, 56), (20, 29), (37, 60), (5, 3), (140, 1)]
LIMITS = {"min_pixels": 56 * 56, "max_pixels": 84 * 112}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
rng = np.random.default_rng(2)


def sha(data):
    return hashlib.sha256(bytes(data)).hexdigest()


def scene(channels, width=WIDTH, height=HEIGHT):
    """Waves with noise: every channel its own, every level reached."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [128 + 100 * np.sin(x / (3 + k) + k) + 60 * np.cos(y / (2 + k)) for k in range(channels)]
    return np.clip(np.stack(waves, -1) + rng.normal(0, 8, (height, width, channels)), 0, 255).astype(np.uint8)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def packed(values, depth):
    """One line of samples as a PNG stores it."""
    if depth == 16:
        return values.astype(">u2").tobytes()
    bits = (values.reshape(-1, 1) >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def png(values, depth, colour_type, extra=b"", interlaced=False):
    """PNGs that Pillow does not write itself: odd depths, tRNS, Adam7. values: [height, width, channels]."""
    height, width = values.shape[:2]
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    lines = b""
    for x, y, dx, dy in passes:
        part = values[y::dy, x::dx]
        if part.size:
            lines += b"".join(b"\0" + packed(line, depth) for line in part)
    head = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, int(interlaced))
    body = extra + chunk(b"IDAT", zlib.compress(lines, 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def profile(space):
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()


def rotated(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def png_pictures():
    rgb, rgba, grey = scene(3), scene(4), scene(1)
    palette = Image.fromarray(rgb).quantize(17)
    wide = rng.integers(0, 65536, (HEIGHT, WIDTH, 4))
    yield "rgb.png", saved(Image.fromarray(rgb), "PNG")
    yield "rgba.png", saved(Image.fromarray(rgba), "PNG")
    yield "grey.png", saved(Image.fromarray(grey[..., 0]), "PNG")
    yield "grey-alpha.png", saved(Image.fromarray(rgba[..., :2].copy(), "LA"), "PNG")
    yield "bit.png", saved(Image.fromarray(grey[..., 0] > 128), "PNG")
    yield "palette.png", saved(palette, "PNG")
    yield "palette-transparent.png", saved(palette, "PNG", transparency=bytes([0, 30, 255, 128]))
    yield "palette-2bit.png", saved(Image.fromarray(rgb).quantize(4), "PNG", bits=2)
    yield "palette-short.png", png(rng.integers(0, 12, (HEIGHT, WIDTH, 1)), 8, 3, chunk(b"PLTE", rng.bytes(30)))
    yield "grey-2bit.png", png(rng.integers(0, 4, (HEIGHT, WIDTH, 1)), 2, 0)
    yield "grey-4bit-interlaced.png", png(rng.integers(0, 16, (HEIGHT, WIDTH, 1)), 4, 0, interlaced=True)
    yield "grey16.png", png(wide[..., :1], 16, 0)
    yield "grey16-dark.png", png(wide[..., :1] % 700, 16, 0)
    yield "grey16-level-transparent.png", png(wide[..., :1] % 700, 16, 0, chunk(b"tRNS", b"\0\7"))
    yield "grey16-alpha.png", png(wide[..., :2], 16, 4)
    yield "rgb16.png", png(wide[..., :3], 16, 2)
    yield "rgba16-interlaced.png", png(wide, 16, 6, interlaced=True)
    yield "rgb-colour-transparent.png", png(rgb, 8, 2, chunk(b"tRNS", rgb[0, 0].astype(">u2").tobytes()))
    yield "rgb-gamma.png", png(rgb, 8, 2, chunk(b"gAMA", struct.pack(">I", 100000)))
    yield "rgb-profile.png", saved(Image.fromarray(rgb), "PNG", icc_profile=profile("sRGB"))
    yield "rgb-rotated.png", saved(Image.fromarray(rgb), "PNG", exif=rotated(6))
    yield "tiny.png", saved(Image.fromarray(scene(3, 1, 1)), "PNG")
    yield "wide.png", saved(Image.fromarray(scene(3, 400, 2)), "PNG")
    yield "narrow.png", saved(Image.fromarray(scene(3, 3, 420)), "PNG")


def jpeg_pictures():
    rgb, cmyk = Image.fromarray(scene(3)), Image.fromarray(scene(4), "CMYK")
    for name, sampling in [("444", "4:4:4"), ("422", "4:2:2"), ("420", "4:2:0"), ("411", "4:1:1")]:
        yield f"rgb-{name}.jpg", saved(rgb, "JPEG", quality=70, subsampling=sampling)
    yield "rgb-progressive.jpg", saved(rgb, "JPEG", quality=60, progressive=True)
    yield "rgb-stored.jpg", saved(rgb, "JPEG", quality=90, keep_rgb=True)
    yield "rgb-profile.jpg", saved(rgb, "JPEG", quality=90, icc_profile=profile("LAB"))
    yield "rgb-rotated.jpg", saved(rgb, "JPEG", quality=90, exif=rotated(6))
    yield "grey.jpg", saved(Image.fromarray(scene(1)[..., 0]), "JPEG")
    adobe = saved(cmyk, "JPEG", quality=90)
    yield "cmyk.jpg", adobe
    start = adobe.index(b"\xff\xee")
    yield "cmyk-no-adobe.jpg", adobe[:start] + adobe[start + 16 :]
    yield "ycck.jpg", adobe[: start + 15] + b"\2" + adobe[start + 16 :]
    yield "cmyk-profile.jpg", saved(cmyk, "JPEG", quality=90, icc_profile=profile("sRGB"))


def other_pictures():
    rgb, rgba = scene(3), scene(4)
    rgba[:9, :, 3] = 0
    palette = Image.fromarray(rgb).quantize(17)
    frames = [Image.fromarray(rgb[::-1].copy())]
    yield "rgb.webp", saved(Image.fromarray(rgb), "WEBP", quality=70)
    yield "rgba.webp", saved(Image.fromarray(rgba), "WEBP", lossless=True, exact=True)
    yield "frames.webp", saved(Image.fromarray(rgb), "WEBP", save_all=True, append_images=frames, lossless=True)
    yield "palette.gif", saved(palette, "GIF")
    yield "transparent.gif", saved(palette, "GIF", transparency=5)
    yield "interlaced.gif", saved(palette, "GIF", interlace=1)
    yield "frames.gif", saved(palette, "GIF", save_all=True, append_images=frames)
    yield "grey.gif", saved(Image.fromarray(rgb[..., 0].copy()), "GIF")
    gif = bytearray(saved(palette, "GIF", transparency=5))
    gif[6:10] = struct.pack("<HH", WIDTH + 4, HEIGHT + 3)
    yield "small-frame.gif", bytes(gif)
    yield "rgb.tif", saved(Image.fromarray(rgb), "TIFF", compression="tiff_lzw")
    yield "rgba.tif", saved(Image.fromarray(rgba), "TIFF", compression="tiff_adobe_deflate")
    yield "jpeg.tif", saved(Image.fromarray(rgb), "TIFF", compression="jpeg")
    yield "palette.tif", saved(palette, "TIFF")
    yield "cmyk.tif", saved(Image.fromarray(rgba, "CMYK"), "TIFF")
    yield "bit.tif", saved(Image.fromarray(rgb[..., 0] > 128), "TIFF", compression="group4")
    for turn in (3, 6, 7):
        yield f"turned-{turn}.tif", saved(
            Image.fromarray(rgb), "TIFF", compression="tiff_lzw", tiffinfo={274: turn}
        )


def expected(picture, processor):
    rgb = picture.convert("RGB")
    out = {"size": rgb.size, "mode": picture.mode, "rgb": sha(rgb.tobytes())}
    out["resized"] = [[*to, sha(rgb.resize(to, Image.Resampling.BICUBIC).tobytes())] for to in TARGETS]
    if max(rgb.size) / min(rgb.size) <= 200:
        patches = processor(rgb, return_tensors="np")
        out["grid"] = patches["image_grid_thw"][0].tolist()
        out["values"] = sha(patches["pixel_values"].tobytes())
    return out


def refused_cuts(data):
    """Lengths at which Pillow refuses the file that is cut there."""
    lengths = sorted({1, 9, len(data) // 4, len(data) // 2, len(data) * 3 // 4, len(data) * 9 // 10})
    refused = []
    for length in lengths:
        try:
            Image.open(io.BytesIO(data[:length])).convert("RGB")
        except Exception:
            refused.append(length)
    return refused


def ramp(width, height):
    """The picture that test/data/image/resample.test.ts builds by the same formula."""
    i = np.arange(width * height * 3, dtype=np.int64)
    return Image.fromarray(((i * i * 31 + i * 7) % 257 % 256).astype(np.uint8).reshape(height, width, 3))


def resample_cases():
    cases = [(1, 1, 7, 5), (200, 1, 56, 28), (1, 200, 28, 56), (640, 480, 28, 28), (2, 3, 300, 300), (7, 701, 9, 700)]
    cases += [(5, 501, 28, 500), (5, 500, 28, 499), (5, 501, 28, 501), (5, 501, 28, 600), (501, 5, 250, 5)]
    cases += [tuple(int(v) for v in rng.integers(1, 180, 4)) for _ in range(40)]
    for width, height, to_width, to_height in cases:
        resized = ramp(width, height).resize((to_width, to_height), Image.Resampling.BICUBIC)
        yield [width, height, to_width, to_height, sha(resized.tobytes())]


def smart_resize_cases():
    fixed = [(70, 70), (98, 42), (28, 1), (1, 200), (200, 1), (1, 1), (13, 14), (4000, 3000), (561, 278), (8204, 1722)]
    drawn = [tuple(int(v) for v in rng.integers(1, 6000, 2)) for _ in range(200)]
    for width, height in fixed + [pair for pair in drawn if max(pair) / min(pair) <= 200]:
        for factor, low, high in [(28, 3136, 12845056), (28, 200704, 1003520), (28, 3136, 4000), (8, 784, 12544)]:
            tall, wide = smart_resize(height, width, factor, low, high)
            yield [width, height, factor, low, high, wide, tall]


def main(out, vqa_rad):
    warnings.simplefilter("ignore")
    out.mkdir(parents=True, exist_ok=True)
    processor = Qwen2VLImageProcessorPil(**LIMITS)
    images = {}
    for pictures in (png_pictures(), jpeg_pictures(), other_pictures()):
        for name, data in pictures:
            (out / name).write_bytes(data)
            # From memory: Pillow maps some uncompressed TIFF files, and then turns them wrongly.
            images[name] = expected(Image.open(io.BytesIO(data)), processor) | {"refusedCuts": refused_cuts(data)}
    document = {
        "pillow": PIL.__version__,
        "transformers": transformers.__version__,
        "limits": {"minPixels": LIMITS["min_pixels"], "maxPixels": LIMITS["max_pixels"]},
        "images": images,
        "resample": list(resample_cases()),
        "smartResize": list(smart_resize_cases()),
        "savedConfig": Qwen2VLImageProcessorPil(**LIMITS).to_dict(),
    }
    (out / "expected.json").write_text(compact(document))
    if vqa_rad.is_dir():
        real = {}
        for file in sorted(vqa_rad.glob("*.jpg"))[::32]:
            facts = expected(Image.open(file), processor)
            real[file.name] = {key: facts[key] for key in ("size", "rgb", "grid", "values")}
        (out / "vqa-rad.json").write_text(compact(real))


def compact(value, depth=0):
    """JSON with one line for each innermost row, so that differences can be read."""
    if depth == 2 or not isinstance(value, (dict, list)):
        return json.dumps(value)
    open_, close = "{}" if isinstance(value, dict) else "[]"
    items = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    lines = [("" if key is None else json.dumps(key) + ": ") + compact(item, depth + 1) for key, item in items]
    return open_ + "\n" + ",\n".join(lines) + "\n" + close + ("\n" if depth == 0 else "")


if __name__ == "__main__":
    here = Path(__file__).resolve().parent.parent
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else here / "test/fixtures/images",
        Path(sys.argv[2]) if len(sys.argv) > 2 else here.parent / "shared/data/vqa-rad/images",
    )
