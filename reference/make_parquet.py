"""Parquet files with pictures in them, as the hub ships data sets: test/fixtures/parquet.

The same five rows on two pictures in every form and compression that is read; `rows.json` beside them holds what
pyarrow reads back, pictures as their SHA-256. Needs pyarrow alone.
"""

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

fixtures = Path(__file__).parent.parent / "test" / "fixtures"
out = fixtures / "parquet"
a = (fixtures / "images" / "rgb.png").read_bytes()
b = (fixtures / "images" / "grey.png").read_bytes()

rows = [
    (a, "a.png", "Is there a polyp?", "Yes, there is a polyp visible."),
    (b, "b.png", "How many?", "Two."),
    (a, "a.png", "Where is it?", "In the upper left corner."),
    (a, "a.png", "What colour is it?", "Red."),
    (b, "b.png", "Is there an instrument?", "No."),
]
image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def flat(kind=image):
    held = [r[0] if kind == pa.binary() else {"bytes": r[0], "path": r[1]} for r in rows]
    return pa.table({
        "image": pa.array(held, kind),
        "question": pa.array([r[2] for r in rows]),
        "answer": pa.array([r[3] for r in rows]),
        "question_type": pa.array(["closed", "open", "open", "open", None]),
        "group": pa.array([7, 8, 7, 7, 8], pa.int64()),
    })


def messages():
    part = pa.struct([("type", pa.string()), ("text", pa.string())])
    turn = pa.struct([("role", pa.string()), ("content", pa.list_(part))])
    talks = [
        [
            {"role": "user", "content": [{"type": "image", "text": None}, {"type": "text", "text": r[2]}]},
            {"role": "assistant", "content": [{"type": "text", "text": r[3]}]},
        ]
        for r in rows
    ]
    held = [[{"bytes": r[0], "path": None}] for r in rows]
    return pa.table({"messages": pa.array(talks, pa.list_(turn)), "images": pa.array(held, pa.list_(image))})


def llava():
    turn = pa.struct([("from", pa.string()), ("value", pa.string())])
    talks = [[{"from": "human", "value": "<image>" + r[2]}, {"from": "gpt", "value": r[3]}] for r in rows]
    held = [{"bytes": r[0], "path": r[1]} for r in rows]
    return pa.table({"image": pa.array(held, image), "conversations": pa.array(talks, pa.list_(turn))})


def readable(value):
    if isinstance(value, bytes):
        return {"sha256": hashlib.sha256(value).hexdigest()}
    if isinstance(value, list):
        return [readable(item) for item in value]
    if isinstance(value, dict):
        return {name: readable(item) for name, item in value.items()}
    return value


tables = {f"flat-{codec}": (flat(), codec) for codec in ["none", "snappy", "gzip", "brotli", "zstd"]}
tables |= {
    "binary": (flat(pa.binary()), "snappy"),
    "messages": (messages(), "snappy"),
    "llava": (llava(), "zstd"),
}
expected = {}
out.mkdir(exist_ok=True)
for name, (table, codec) in tables.items():
    file = out / f"{name}.parquet"
    pq.write_table(table, file, compression=codec, row_group_size=2, write_statistics=name == "flat-snappy")
    expected[name] = readable(pq.read_table(file).to_pylist())
pq.write_table(flat(), out / "lz4.parquet", compression="lz4", write_statistics=False)  # is refused
(out / "rows.json").write_text(json.dumps(expected, indent=1) + "\n")
