"""The instructions of a post, of an event of a batch and of a removed event stay within 15% of
baseline.json.
"""
import warnings

import pytest

from instructions import DRAIN, LEASE, POST, POST_ALONE, POST_BATCH, baseline, count, functions, most_expensive, total

MORE = 0.15
FIGURES = (POST, POST_ALONE, POST_BATCH, DRAIN, LEASE)


@pytest.fixture(scope="module")
def costs():
    return count()


def judge(figure, by_function, known):
    """Fails when a figure has grown too much, or when the baseline is too high to notice the next
    growth.
    """
    counted = total(by_function)
    change = f"{figure}: {counted:,} instructions, {100 * (counted / known - 1):+.1f}% of the baseline's {known:,}"
    assert counted <= known * (1 + MORE), f"{change}. The most expensive functions, each by itself:\n{most_expensive(by_function, 15)}"
    if counted < known * (1 - MORE):
        warnings.warn(f"{change}. Make it the new baseline: instructions.py --update")


@pytest.mark.parametrize("figure", FIGURES)
def test_the_price_has_not_grown(costs, figure):
    judge(figure, costs[figure], baseline()[figure])


def test_growth_is_found_and_named():
    with pytest.raises(AssertionError, match=r"(?s)a post: 1,160 instructions, \+16\.0% of the baseline's 1,000.*900  plan.*260  commit"):
        judge("a post", {"commit": 260, "plan": 900}, 1000)


def test_a_little_growth_is_none():
    judge("a post", {"commit": 1149}, 1000)


def test_a_baseline_that_is_too_high_is_noticed():
    with pytest.warns(UserWarning, match="--update"):
        judge("a post", {"commit": 840}, 1000)


def test_a_function_is_charged_with_its_own_instructions_only():
    count = """ob=(1) /bin/sevqd
fn=(1) main
0 10
cob=(2) /lib/libc.so
cfn=(2) memcpy
calls=3 0
+1 600
* 5

ob=(2)
fn=(2)
-7 600

ob=(1)
fn=(3) 'main
0 1

totals: 616
"""
    assert functions(count.splitlines()) == {"main [sevqd]": 15, "memcpy [libc.so]": 600, "'main [sevqd]": 1}
    with pytest.raises(AssertionError):
        functions(count.replace("616", "617").splitlines())
