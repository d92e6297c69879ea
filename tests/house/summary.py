"""The end of ./check: pytest's closing lines, and one count over the given meson test logs.

summary.py [--failed-builds N] LOG.json... exits 0 if everything passed.
"""
import argparse
import collections
import json
import pathlib
import re

CLOSING = re.compile(r"^\d+ (passed|failed|error|skipped).* in [\d.]+s\b.*$", re.M)
PASSED, NEITHER = {"OK", "EXPECTEDFAIL"}, {"SKIP"}


def tests(log):
    """The records of a meson log: a JSON document per line, one for each test."""
    with open(log, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def verdict(test):
    return "passed" if test["result"] in PASSED else "skipped" if test["result"] in NEITHER else "failed"


def closing(test):
    """pytest's last line; without one, meson's word for a failure and nothing for a success."""
    said = [match.group() for match in CLOSING.finditer(test.get("stdout", ""))]
    return said[-1] if said else "" if verdict(test) == "passed" else test["result"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--failed-builds", type=int, default=0)
    parser.add_argument("logs", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    count = collections.Counter(failed=args.failed_builds)
    # a pattern without a match is left unexpanded
    for log in filter(pathlib.Path.exists, args.logs):
        for test in tests(log):
            count[verdict(test)] += 1
            if closing(test):
                print(f"{log.parts[1]}: {test['name']}: {closing(test)}")
    if count["skipped"]:
        print(f"{count['skipped']} skipped")
    print(f"{count['passed']} passed, {count['failed']} failed")
    return 0 if count["passed"] and not count["failed"] else 1


raise SystemExit(main())
