"""Numbers from a seed, the same on both sides: mix and hash are those of src/random.ts."""

import base64
from pathlib import Path

import numpy as np

FIXTURES = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "parity"


def mix(x):
    """Murmur3's finaliser over uint32 arrays."""
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x85EBCA6B)
    x = x ^ (x >> np.uint32(13))
    x = x * np.uint32(0xC2B2AE35)
    return x ^ (x >> np.uint32(16))


def hash_of(*parts):
    h = 0x9E3779B9
    for part in parts:
        units = [part] if isinstance(part, int) else [ord(c) + 0x10000 for c in part]
        for unit in units:
            word = np.array([(h ^ unit) & 0xFFFFFFFF], dtype=np.uint32)
            h = (int(mix(word)[0]) + 0x9E3779B9) & 0xFFFFFFFF
    return int(mix(np.array([h], dtype=np.uint32))[0])


def uniform(*address, size):
    """[size] f64 on [0, 1), element i of the stream at this address, a multiple of 2^-24."""
    counter = np.arange(size, dtype=np.uint32) * np.uint32(0x9E3779B1)
    bits = mix(counter ^ np.uint32(hash_of(*address)))
    return (bits >> np.uint32(8)).astype(np.float64) * 2.0**-24


def around(*address, size, amplitude, offset=0.0):
    """[size] f32: offset + amplitude * u with u uniform on [-1, 1); f64 arithmetic, rounded once."""
    return ((uniform(*address, size=size) * 2 - 1) * amplitude + offset).astype(np.float32)


def integers(*address, size, low, high):
    """[size] integers on [low, high)."""
    return (low + np.floor(uniform(*address, size=size) * (high - low))).astype(np.int64)


def encode(array):
    """An array as the fixtures hold it: shape, and little-endian f32 in base64."""
    array = np.ascontiguousarray(array, dtype="<f4")
    return {"shape": list(array.shape), "data": base64.b64encode(array.tobytes()).decode()}
