"""GET /metrics as Prometheus reads it; the alerts, with their tests, and the dashboard."""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from policies import MAIN, ONE_OWNER
from sevqd import ok, wait_until

PACKAGING = Path(os.environ["SOURCES"]) / "packaging"
ALERTS, DASHBOARD = PACKAGING / "prometheus/alerts.yml", PACKAGING / "grafana/sevq.json"
PROMTOOL = shutil.which("promtool")  # of Debian's prometheus
with_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


def promtool(*args, text=None):
    return subprocess.run([PROMTOOL, *args], input=text, capture_output=True, text=True, timeout=60, cwd=ALERTS.parent)


def metrics(api):
    return api.call("GET", "/metrics").body.decode()


def value(api, name):
    found = [line.rsplit(" ", 1)[1] for line in metrics(api).splitlines() if line.rsplit(" ", 1)[0] == name]
    assert len(found) == 1, (name, found)
    return float(found[0])


def use(api):
    """Something of everything that is counted with a label."""
    ok(api.enqueue("one", MAIN), 201)
    ok(api.enqueue("one", MAIN))
    ok(api.enqueue("two", MAIN), 201)
    ok(api.ack(ok(api.lease(MAIN, limit=1))["leaseId"]))
    ok(api.drain(MAIN))
    api.call("GET", "/v1/events/1")
    api.call("GET", "/nothing")


@with_promtool
def test_promtool_has_nothing_to_say_of_the_metrics(server, api):
    use(api)
    checked = promtool("check", "metrics", text=metrics(api))
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@with_promtool
@pytest.mark.parametrize("bad", ["sevq_age_milliseconds 1", "# TYPE sevq_x counter\nsevq_x 1", "# HELP sevq_x_total x\n# TYPE sevq_x_total gauge\nsevq_x_total 1"])
def test_promtool_would_say_something_of_others(api, bad):
    checked = promtool("check", "metrics", text=metrics(api) + bad + "\n")
    assert checked.returncode != 0 and "sevq_" in checked.stderr


def test_what_happens_is_counted(server, api):
    use(api)
    wanted = {'sevq_events_enqueued_total{outcome="queued"}': 2, 'sevq_events_enqueued_total{outcome="duplicate"}': 1,
        'sevq_events_settled_total{outcome="acked"}': 1, 'sevq_events_settled_total{outcome="drained"}': 1,
        'sevq_events_routed_total{rule="keep"}': 2, "sevq_event_wait_seconds_count": 2, "sevq_ready": 1, "sevq_sessions": 0,
        "sevq_commit_duration_seconds_count": 5, "sevq_commit_batch_events_sum": 2,
        'sevq_http_requests_total{method="POST",route="/v1/events",code="201"}': 2,
        'sevq_http_requests_total{method="POST",route="/v1/events",code="200"}': 1,
        'sevq_http_requests_total{method="GET",route="/v1/events/{id}",code="200"}': 1,
        'sevq_http_requests_total{method="",route="",code="404"}': 1}
    assert {name: value(api, name) for name in wanted} == wanted
    assert value(api, "sevq_storage_free_bytes") > 1 << 20
    assert abs(value(api, "process_start_time_seconds") - os.stat(f"/proc/{server.process.pid}").st_ctime) < 60


def test_events_are_counted_by_state(server, api):
    for text in "ready", "leased":
        ok(api.enqueue(text, MAIN), 201)
    ok(api.lease(MAIN, limit=1))
    ok(api.enqueue("delayed", MAIN, delayMs=60000), 201)
    ok(api.enqueue("behind", "agent:ops:main"), 201)
    ok(api.enqueue("exclusive", "agent:ops:main"), 201)
    ok(api.lease("agent:ops:main", limit=1, exclusive=True))
    found = {state: value(api, f'sevq_events{{state="{state}"}}') for state in ("ready", "leased", "delayed", "held")}
    assert found == {"ready": 1, "leased": 2, "delayed": 1, "held": 1}
    wait_until(lambda: value(api, "sevq_oldest_ready_age_seconds") > 0, "the event to age")


def test_a_session_key_is_no_label(server, api):
    ok(api.enqueue("x", "agent:secret:main"), 201)
    api.call("GET", "/v1/events?sessionKey=agent:secret:main")
    api.call("GET", "/agent:secret:main")
    assert "secret" not in metrics(api)


def test_a_policy_that_cannot_be_read_is_told(start):
    server = start(policy=ONE_OWNER)
    api = server.client()
    before = value(api, "sevq_policy_last_reload_success_timestamp_seconds")
    assert value(api, "sevq_policy_last_reload_successful") == 1
    server.write_policy("{")
    server.signal(1)
    wait_until(lambda: value(api, "sevq_policy_last_reload_successful") == 0, "the reload to fail")
    assert value(api, "sevq_policy_last_reload_success_timestamp_seconds") == before
    server.write_policy("{}")
    server.signal(1)
    wait_until(lambda: value(api, "sevq_policy_last_reload_successful") == 1, "the reload")
    assert value(api, "sevq_policy_last_reload_success_timestamp_seconds") > before
    assert value(api, "sevq_stranded_events") == 0


@with_promtool
def test_the_alerts_pass_their_tests(server):
    for args in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        done = promtool(*args)
        assert done.returncode == 0, done.stdout + done.stderr


@with_promtool
def test_every_alert_has_a_test_that_can_fail(tmp_path):
    alerts = ALERTS.read_text()
    names = re.findall(r"alert: (\w+)", alerts)
    tests = (ALERTS.parent / "alerts_test.yml").read_text()
    (tmp_path / "alerts_test.yml").write_text(tests)
    assert len(names) >= 8
    for name in names:
        before, rest = alerts.split(f"alert: {name}\n")
        never = re.sub(r"expr: (.*)", r"expr: vector(0) > 1 and on() (\1)", rest, count=1)
        (tmp_path / "alerts.yml").write_text(f"{before}alert: {name}\n{never}")
        done = subprocess.run([PROMTOOL, "test", "rules", "alerts_test.yml"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode != 0, name


def expressions():
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    yield from re.findall(r"alert: (\w+)\n\s+expr: (.*)", ALERTS.read_text())


def test_alerts_and_dashboard_ask_for_what_the_server_tells(server, api):
    use(api)
    names, labels = set(), {}
    for line in metrics(api).splitlines():
        if not line.startswith("#"):
            name = re.match(r"\w+", line)[0]
            names.add(name)
            labels.setdefault(name, set()).update(re.findall(r'(\w+)="', line))
    asked = list(expressions())
    assert len(asked) > 20
    for title, expression in asked:
        found = re.findall(r"\b(sevq_\w+)(?:\{(\w+)=)?", expression)
        assert found or title == "SevqDown", title
        for name, label in found:
            assert name in names, (title, name)
            assert not label or label in labels[name], (title, label)
