#!/usr/bin/env python3
"""embed.py OUT FILE... - writes the numbered migrations as a C array of strings, in the order
given, without the lines that are comments.
"""
import json, sys

out, files = sys.argv[1], sys.argv[2:]
with open(out, "w", encoding="ascii") as f:
    f.write("/* Made from schema/sql by embed.py. */\nstatic const char *const migrations[] = {\n")
    for name in files:
        for line in open(name, encoding="ascii"):
            if not line.startswith("--"):
                f.write("\t" + json.dumps(line) + "\n")
        f.write("\t,\n")
    f.write("};\n")
