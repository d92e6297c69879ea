"""The end of ./check: pytest's own closing lines, and one count over every meson test log named.

summary.py [--failed-builds N] LOG.json...     exit 0 if everything passed
"""
import argparse
import collections
import json
import pathlib
import re

CLOSING = re.compile(r"^\d+ (passed|failed|error).* in [\d.]+s\b.*$", re.M)
PASSED, NEITHER = {"OK", "EXPECTEDFAIL"}, {"SKIP"}


def results(log):
    """The test records of a meson log: one JSON document a line, each a test that ended."""
    with open(log, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--failed-builds", type=int, default=0)
    parser.add_argument("logs", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    count = collections.Counter(failed=args.failed_builds)
    for log in filter(pathlib.Path.exists, args.logs):
        for test in results(log):
            verdict = "passed" if test["result"] in PASSED else "skipped" if test["result"] in NEITHER else "failed"
            count[verdict] += 1
            said = CLOSING.findall(test.get("stdout", "")) and list(CLOSING.finditer(test["stdout"]))[-1].group()
            if said or verdict != "passed":
                print(f"{log.parts[1]}: {test['name']}: {said or test['result']}")
    if count["skipped"]:
        print(f"{count['skipped']} skipped")
    print(f"{count['passed']} passed, {count['failed']} failed")
    return 0 if count["passed"] and not count["failed"] else 1


raise SystemExit(main())
