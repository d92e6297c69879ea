"""Runs queue vectors against a sevqd of its own: the empty policy, and OpenClaw's limits.

conformance_queue.py FILE...     the binary's path comes in the environment, as SEVQD
"""
import pathlib
import subprocess
import sys
import tempfile

from sevqd import Server

with tempfile.TemporaryDirectory() as directory:
    server = Server(directory, "--compat", "openclaw", policy="{}").start()
    try:
        done = subprocess.run([sys.executable, "-B", pathlib.Path(__file__).with_name("conformance.py"), "queue",
            "--base-url", f"http://127.0.0.1:{server.port}", "--token", server.token, *sys.argv[1:]])
    finally:
        server.stop()
sys.exit(done.returncode)
