"""Queue keys are fixed points: every vector is routed, then every answer again under the same
policy, and must not change.

conformance_fixed_points.py SEVQD FILE...
"""
import json
import subprocess
import sys


def routed(sevqd, questions):
    asked = "".join(json.dumps(q) + "\n" for q in questions)
    done = subprocess.run([sevqd, "route"], input=asked, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=True, timeout=120)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main(sevqd, *files):
    vectors = [json.loads(line) for name in files for line in open(name, encoding="utf-8")]
    questions = [{k: v for k, v in vector.items() if k not in ("name", "expect")} for vector in vectors]
    first = [(q, a) for q, a in zip(questions, routed(sevqd, questions)) if "error" not in a]
    second = routed(sevqd, [{**q, "sessionKey": a["sessionKey"]} for q, a in first])
    moved = [(q, a, b) for (q, a), b in zip(first, second) if (b.get("sessionKey"), b.get("rule")) != (a["sessionKey"], "keep")]
    for question, answer, again in moved[:10]:
        print(f"{question}: {answer}, again: {again}")
    print(f"{len(second) - len(moved)} of {len(first)} queue keys are fixed points")
    return 1 if moved or len(second) != len(first) or not first else 0


sys.exit(main(*sys.argv[1:]))
