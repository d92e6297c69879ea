#!/usr/bin/env python3
"""embed.py OUT BASH ZSH FISH - writes the completions for the shells as C texts."""
import sys

out, *scripts = sys.argv[1:]
with open(out, "w", encoding="ascii") as f:
    f.write("/* Made from client/completions by embed.py. */\n")
    for shell, name in zip(("bash", "zsh", "fish"), scripts, strict=True):
        f.write(f"static const char completion_{shell}[] =")
        with open(name, encoding="ascii") as script:
            for line in script:
                text = line.rstrip("\n").replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?")
                f.write(f'\n\t"{text}\\n"')
        f.write(";\n")
