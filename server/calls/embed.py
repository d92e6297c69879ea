#!/usr/bin/env python3
"""embed.py OUT FILE - writes a JSON document, without white space, as the bytes of a C array."""
import json, sys

out, name = sys.argv[1:]
with open(name, encoding="ascii") as f:
    text = json.dumps(json.load(f), separators=(",", ":"))
with open(out, "w", encoding="ascii") as f:
    f.write("/* Made from openapi.json by embed.py. */\nstatic const char document[] = {\n")
    for at in range(0, len(text), 20):
        f.write("\t" + " ".join(f"{ord(c)}," for c in text[at : at + 20]) + "\n")
    f.write("};\n")
