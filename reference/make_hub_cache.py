"""What `huggingface_hub` makes of its cache when it downloads a snapshot: test/fixtures/hub/cache.json.

Serves a few made-up files on 127.0.0.1 as the hub does, lets `snapshot_download` fetch them, and writes down every path
of the cache with its link or the SHA-256 of its bytes (`trees/`, newer Python's own notes, apart). Needs huggingface_hub alone, and no network.
"""

import hashlib
import json
import os
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODEL, COMMIT = "Qwen/Tiny-VL", "c0ffee0000000000000000000000000000c0ffee"
FILES = {
    "config.json": b'{"model_type": "qwen2_vl"}\n',
    "tokenizer.json": b"{}\n",
    "model.safetensors": bytes(i * i % 251 for i in range(5000)),
}
OUT = Path(__file__).resolve().parent.parent / "test" / "fixtures" / "hub" / "cache.json"


def git(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def etag(data):
    return sha256(data) if len(data) >= 1000 else git(data)


def entry(name, data):
    lfs = {"lfs": {"oid": sha256(data), "size": len(data), "pointerSize": 130}} if len(data) >= 1000 else {}
    return {"type": "file", "path": name, "size": len(data), "oid": git(data), **lfs}


class Hub(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, body=b"", headers={}):
        self.send_response(200)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_GET(self):
        path = self.path.split("?")[0]
        if "/tree/" in path:
            return self.answer(json.dumps([entry(*file) for file in FILES.items()]).encode())
        if path.startswith("/api/models/"):
            siblings = [{"rfilename": name} for name in FILES]
            return self.answer(json.dumps({"id": MODEL, "sha": COMMIT, "siblings": siblings}).encode())
        if not path.startswith(f"/{MODEL}/"):
            return self.send_error(404)
        data = FILES[path.rsplit("/", 1)[1]]
        self.answer(data, {"etag": f'"{etag(data)}"', "x-repo-commit": COMMIT})

    do_HEAD = do_GET


server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
with tempfile.TemporaryDirectory() as home:
    os.environ["HF_HOME"] = home
    import huggingface_hub

    huggingface_hub.snapshot_download(MODEL)
    found = {}
    root = Path(home) / "hub" / f"models--{MODEL.replace('/', '--')}"
    for path in sorted(root.rglob("*")):
        if path.parent.name == "trees":
            continue
        if path.is_symlink():
            found[str(path.relative_to(root))] = {"link": os.readlink(path)}
        elif path.is_file():
            found[str(path.relative_to(root))] = {"sha256": sha256(path.read_bytes())}
OUT.parent.mkdir(exist_ok=True)
OUT.write_text(json.dumps({"huggingface_hub": huggingface_hub.__version__, "cache": found}, indent=1) + "\n")
