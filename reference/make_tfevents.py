"""Makes test/fixtures/tfevents: events, and the file that TensorBoard's own writer makes of them.

Usage: python reference/make_tfevents.py [OUTPUT_DIR]

Needs tensorboard 2.21. `events.json` is what was written, `scalars.tfevents` the bytes.
"""

import json
import sys
from pathlib import Path

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

START = 1767225600.125
EVENTS = [
    # Step 0 and the value 0: proto3 leaves the first out of the bytes and keeps the second, which is in a oneof.
    (0, START + 1.5, [("validation/loss", 11.93125), ("validation/gap", 0.0)]),
    (1, START + 2.0, [("train/loss", 2.4079456329345703), ("train/learning_rate", 1e-4)]),
    # A value that f32 rounds, a negative one, and one below the smallest normal f32.
    (2, START + 2.25, [("train/loss", 0.1), ("validation/gap", -0.3125), ("train/gradient_norm", 1e-40)]),
    # Lengths and steps of more than one varint byte, a tag of more than one byte a letter.
    (300, START + 3600, [("validation/" + "long_" * 40 + "tag", 1.0), ("épreuve/perte", 2.0)]),
    (5_000_000_000, START + 1e6, [("time/memory_bytes", 17179869184.0)]),
]


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "scalars.tfevents", "wb") as file:
        writer = RecordWriter(file)
        writer.write(event_pb2.Event(wall_time=START, file_version="brain.Event:2").SerializeToString())
        for step, wall_time, scalars in EVENTS:
            values = [summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in scalars]
            event = event_pb2.Event(wall_time=wall_time, step=step, summary=summary_pb2.Summary(value=values))
            writer.write(event.SerializeToString())
        writer.flush()
    told = [
        {"step": step, "wallTime": wall_time, "scalars": [{"tag": tag, "value": value} for tag, value in scalars]}
        for step, wall_time, scalars in EVENTS
    ]
    text = json.dumps({"wallTime": START, "events": told}, indent=1, ensure_ascii=False)
    (folder / "events.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    default = Path(__file__).parent.parent / "test/fixtures/tfevents"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
