"""The sevq command as a person or a script runs it, in an environment with one server or none."""
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import termios
import time

from sevqd import PATIENCE, binary

ANY = object()  # whatever the exit status is
DONE, FAILED, USAGE, NOTHING, NOT_ALLOWED, TRY_AGAIN = 0, 1, 2, 3, 4, 75


class Shell:
    """Runs sevq in an environment with one server or none."""

    def __init__(self, server, **env):
        self.env = {**server.environment(), "LC_ALL": "C.UTF-8"}
        if server.process is not None and server.port is not None:
            self.env |= {"SEVQ_URL": f"http://127.0.0.1:{server.port}", "SEVQ_TOKEN_FILE": str(server.directory / "token")}
        self.env |= env

    def __call__(self, *words, stdin=None, exit=DONE, **env):
        """Returns (standard output, standard error)."""
        done = subprocess.run([binary("SEVQ"), *words], env={**self.env, **env}, timeout=PATIENCE, text=True, errors="surrogateescape",
            input=stdin if stdin is not None else "", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert exit in (done.returncode, ANY), (words, done)
        return done.stdout, done.stderr

    def json(self, *words, exit=DONE, **options):
        out, err = self(*words, "--json", exit=exit, **options)
        assert err == "", err
        return json.loads(out)

    def on_terminal(self, *words, typed="", width=60, exit=DONE):
        """The same on a terminal of this width; returns its screen."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        if typed:
            os.write(ours, typed.encode())
        process = subprocess.Popen([binary("SEVQ"), *words], env=self.env, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        screen, end = b"", time.monotonic() + PATIENCE
        try:
            while select.select([ours], [], [], max(0, end - time.monotonic()))[0]:
                screen += os.read(ours, 4096)
            process.kill()  # it takes too long
        except OSError:  # the command has closed the terminal
            pass
        os.close(ours)
        assert exit in (process.wait(PATIENCE), ANY), screen
        return screen.decode().replace("\r\n", "\n")
