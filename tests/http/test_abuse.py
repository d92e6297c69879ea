"""Clients that are slow, many, or hostile: none of them keeps a good client from its answer."""
import select
import socket
import threading
import time

import pytest

from policies import MAIN
from sevqd import Raw, Stream, ok, problem, request, wait_until

BODY = b'{"text":"x","sessionKey":"main","allowDuplicate":true}'


def good_client_is_served(server):
    ok(server.client().enqueue("good", MAIN, allowDuplicate=True), 201)


def test_many_idle_connections_do_no_harm(start):
    server = start()
    idle = [server.raw() for _ in range(300)]
    good_client_is_served(server)
    before = server.cpu_seconds()
    time.sleep(0.3)  # the test measures idleness
    assert server.cpu_seconds() - before < 0.1
    for raw in idle:
        raw.send(request("GET", "/livez"))
    assert all(raw.answer().status == 200 for raw in idle)


def test_an_idle_connection_is_closed_silently(start):
    server = start("--idle-timeout-ms", 100, "--header-timeout-ms", 100)
    fresh, used = server.raw(), server.raw()
    used.send(request("GET", "/livez"))
    assert used.answer().status == 200
    assert fresh.closed() and used.closed()
    good_client_is_served(server)


def trickle(raw, data, pause=0.02):
    """Sends byte by byte until it is answered or closed."""
    for i in range(len(data)):
        try:
            raw.send(data[i:i + 1])
        except OSError:
            return
        if select.select([raw.sock], [], [], pause)[0]:
            return


def test_slow_headers_time_out(start):
    server = start("--header-timeout-ms", 200)
    raw = server.raw()
    trickle(raw, request("GET", "/livez", headers=[("X-Slow", "y" * 1000)]))
    problem(raw.answer(), 408, "timeout")
    assert raw.closed()
    good_client_is_served(server)


def test_the_deadline_of_headers_is_not_renewed_by_each_byte(start):
    server = start("--header-timeout-ms", 300)
    raw, began = server.raw(), time.monotonic()
    trickle(raw, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1000, pause=0.01)
    assert raw.answer().status == 408
    assert time.monotonic() - began < 5


def test_a_slow_body_times_out(start):
    server = start("--body-timeout-ms", 200)
    raw = server.raw()
    head = request("POST", "/v1/events", server.token, BODY)[:-len(BODY)]
    raw.send(head + BODY[:10])
    problem(raw.answer(), 408, "timeout")
    assert raw.closed()
    assert server.client().texts(MAIN) == []


def test_a_slow_chunked_body_times_out(start):
    server = start("--body-timeout-ms", 200)
    raw = server.raw()
    raw.send(request("POST", "/v1/events", server.token, headers=[("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")]))
    trickle(raw, b"1\r\nx\r\n" * 1000)
    assert raw.answer().status == 408


def test_a_body_must_keep_up_a_rate(start):
    """A trickling body is cut off long before its deadline; a slow but steady one is not."""
    server = start("--min-body-rate", 1000)
    text = b'{"text":"%s","sessionKey":"main"}' % (b"x" * 60000)
    head = request("POST", "/v1/events", server.token, text)[:-len(text)]
    trickling, steady = server.raw(), server.raw()
    trickling.send(head)
    steady.send(head)
    sent = 0
    while trickling.is_quiet(0.1):
        trickling.send(text[sent:sent + 10])
        steady.send(text[sent * 50:sent * 50 + 500])
        sent += 10
    problem(trickling.answer(), 408, "timeout")
    assert steady.is_quiet()
    steady.send(text[sent * 50:])
    assert steady.answer().status == 201


def test_bodies_together_are_bounded(start):
    """Clients that hold back large bodies keep others from sending large ones, not small ones."""
    server = start("--max-buffered-bytes", 1 << 20)
    large = b'{"text":"x","sessionKey":"main"}' + b" " * 700000
    head = request("POST", "/v1/events", server.token, large)[:-len(large)]
    holding = server.raw()
    holding.send(head + large[:500000])
    wait_until(lambda: server.client().stats()["http"]["bufferedBytes"] > 499000, "the body to be buffered")
    other = server.raw()
    other.send(head + large)
    problem(other.answer(), 429, "queue-full")
    good_client_is_served(server)
    holding.send(large[500000:])
    assert holding.answer().status == 201


@pytest.mark.parametrize("path, limit, least, refused", [("/v1/events?sessionKey=agent:main:main", 16 << 20, 100, 1),
    ("/v1/history", 4 << 20, (1 << 20) // 60020, 0)])
def test_answers_together_are_bounded(start, path, limit, least, refused):
    """Many large answers at once refuse each other, but not small ones. A page of the history
    need not be refused: the kernel may take it before the next is made.
    """
    server = start("--max-buffered-bytes", limit)
    api = server.client()
    for key in MAIN, "agent:gone:main":
        for part in range(8):  # 7 MiB, of which the kernel takes up to 4
            ok(api.batch(*[{"text": f"{part} {n} " + "x" * 60000, "sessionKey": key} for n in range(15)]))
    ok(api.drain("agent:gone:main"))
    asking, posting = [server.raw(receive_buffer=4096) for _ in range(20)], server.raw()
    for raw in [*asking, posting]:
        raw.send(request("GET", "/livez"))
        assert raw.answer().status == 200
    with server.held_still():
        for raw in asking:
            raw.send(request("GET", path, server.token))
        posting.send(request("POST", "/v1/events", server.token, {"text": "little", "sessionKey": MAIN}))
    assert posting.answer().status == 201
    sockets = [raw.sock for raw in asking]
    wait_until(lambda: len(select.select(sockets, [], [], 0)[0]) == len(sockets), "every answer to begin")
    assert api.stats()["http"]["bufferedBytes"] <= limit * 5 // 4, "the last one may exceed it"
    assert refused <= api.stats()["rejected"]["answers"] < len(asking)
    for raw in asking:
        raw.close()
    wait_until(lambda: api.stats()["http"]["bufferedBytes"] < 1 << 20, "the answers to be dropped")
    assert len(ok(api.call("GET", path))["events"]) >= least


def test_a_request_on_a_used_connection_has_its_own_deadline(start):
    server = start("--header-timeout-ms", 200, "--idle-timeout-ms", 10000)
    raw = server.raw()
    raw.send(request("GET", "/livez") + b"GET /livez HT")
    assert raw.answer().status == 200
    assert raw.answer().status == 408


def test_slow_clients_do_not_slow_others(start):
    server = start("--header-timeout-ms", 5000)
    slow = [server.raw() for _ in range(50)]
    for raw in slow:
        raw.send(b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    api = server.client()
    for n in range(50):
        began = time.monotonic()
        ok(api.enqueue(f"{n}", MAIN), 201)
        assert time.monotonic() - began < 2


def big_answers(server, count):
    return request("GET", "/v1/events?sessionKey=main&limit=1000", server.token) * count


@pytest.fixture
def with_large_answers(start):
    server = start("--response-timeout-ms", 300)
    api = server.client()
    for n in range(4):
        ok(api.batch(*({"text": f"{n} {m} " + "x" * 60000, "sessionKey": MAIN} for m in range(15))))
    return server


def test_a_client_that_does_not_read_is_dropped(with_large_answers):
    server = with_large_answers
    raw = server.raw(receive_buffer=4096)
    raw.send(request("GET", "/livez"))
    assert raw.answer().status == 200
    descriptors = server.open_descriptors()
    raw.send(big_answers(server, 30))
    wait_until(lambda: server.open_descriptors() < descriptors, "the connection to be dropped")
    good_client_is_served(server)


def test_answers_that_are_not_read_do_not_pile_up(with_large_answers):
    """Ten clients request 30 answers of 4 MB each and read nothing: memory stays bounded."""
    server = with_large_answers
    before = resident(server)
    clients = [server.raw(receive_buffer=4096) for _ in range(10)]
    for raw in clients:
        raw.send(big_answers(server, 30))
    most = before
    for _ in range(20):
        good_client_is_served(server)
        most = max(most, resident(server))
    assert most - before < 400 << 20, f"{(most - before) >> 20} MiB more"


def resident(server):
    with open(f"/proc/{server.process.pid}/statm") as f:
        return int(f.read().split()[1]) * 4096


def peak(server):
    """The peak of the server's memory so far."""
    with open(f"/proc/{server.process.pid}/status") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM:"))


def test_a_batch_of_replaces_takes_no_memory_for_skipped_events(start):
    server = start()
    api = server.client()
    for n in range(10):
        ok(api.batch(*({"text": f"{m}", "contextKey": f"{n}-{m}", "sessionKey": MAIN} for m in range(1000))))
    before = peak(server)
    ok(api.batch(*({"text": "x", "contextKey": f"0-{m}", "sessionKey": MAIN, "replace": True} for m in range(1000))))
    assert peak(server) - before < 25 << 20, f"{(peak(server) - before) >> 20} MiB more"


def test_a_client_that_reads_slowly_gets_everything(start):
    server = start()
    api = server.client()
    for n in range(3):
        ok(api.batch(*({"text": f"{n} {m} " + "x" * 60000, "sessionKey": MAIN} for m in range(15))))
    raw = server.raw(receive_buffer=4096)
    raw.send(big_answers(server, 2))
    for _ in range(2):
        assert len(raw.answer().json["events"]) == 45


def test_one_address_has_a_share_of_connections(start):
    server = start("--max-connections-per-address", 5, "--linger-timeout-ms", 100)
    held = [server.raw() for _ in range(5)]
    for raw in held:
        raw.send(request("GET", "/livez"))
        assert raw.answer().status == 200
    extra = server.raw()
    assert extra.answer().status == 429
    assert extra.closed()
    held.pop().close()
    wait_until(lambda: server.raw().is_quiet(), "a place to be free")


def test_at_the_cap_the_longest_idle_connection_makes_room(start):
    server = start("--max-connections", 5)
    held = []
    for _ in range(5):
        raw = server.raw()
        raw.send(request("GET", "/livez"))
        assert raw.answer().status == 200
        held.append(raw)
    good_client_is_served(server)
    assert held[0].closed()
    held[4].send(request("GET", "/livez"))
    assert held[4].answer().status == 200


HALF_OPEN = [b"", b"\r\n", b"GET /li", request("GET", "/livez")[:-2], request("GET", "/livez") + b"GET"]


@pytest.mark.parametrize("sent", HALF_OPEN)
def test_at_the_cap_connections_without_a_whole_head_make_room(start, sent):
    """The oldest first; none of them keeps the newcomers out."""
    server = start("--max-connections", 5)
    held = [server.raw() for _ in range(5)]
    for raw in held:
        raw.send(sent)
        if sent.startswith(request("GET", "/livez")):
            assert raw.answer().status == 200
    served = []

    def newcomer_is_served():
        raw = server.raw()
        raw.send(request("GET", "/livez"))
        answer = raw.answer()
        if answer.status == 200:
            served.append(raw)
        return answer.status == 200

    wait_until(newcomer_is_served, "room for a newcomer")
    assert held[0].closed() and all(raw.is_quiet(0.01) for raw in held[1:])
    for raw in held[1:]:
        wait_until(newcomer_is_served, "room for the next")
        assert raw.closed()
    assert all(raw.is_quiet(0.01) for raw in served)
    http = server.client().stats()["http"]  # this client needs room, too
    assert (http["evictedHalfOpen"], http["evictedIdle"]) == (5, 1)


def pass_time(seconds):
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end)


def test_at_the_cap_who_has_waited_longest_makes_room(start):
    """Whether for its next request or for its first."""
    server = start("--max-connections", 4)
    held, newcomers = [], []
    for n in range(4):
        held.append(server.raw())
        if n % 2 == 0:
            held[-1].send(request("GET", "/livez"))
            assert held[-1].answer().status == 200
        pass_time(0.02)
    pass_time(0.3)  # longer than a head has for itself
    for n in range(4):
        newcomers.append(server.client())
        assert newcomers[-1].call("GET", "/livez").status == 200
        assert held[n].closed() and all(raw.is_quiet(0.01) for raw in held[n + 1:])


def test_who_comes_at_once_with_a_request_is_served_or_refused_and_not_cut_off(start):
    """All of them are accepted before any is read."""
    server = start("--max-connections", 5)
    with server.held_still():
        raws = [server.raw() for _ in range(8)]
        for raw in raws:
            raw.send(request("GET", "/livez"))
    assert sorted(raw.answer().status for raw in raws) == [200] * 5 + [429] * 3


def test_at_the_cap_busy_connections_stay_and_the_newcomer_is_refused(start):
    server = start("--max-connections", 5, "--linger-timeout-ms", 100)
    post = request("POST", "/v1/events", server.token, BODY)
    posting = [server.raw() for _ in range(3)]
    for raw in posting:
        raw.send(post[:-1])
    waiting, stream = server.raw(), Stream(server)
    waiting.send(request("GET", "/v1/wait?sessionKey=agent:waiting:main", server.token))
    wait_until(lambda: not Raw(server.port).is_quiet(0.02), "the cap to be reached")
    for _ in range(5):
        assert server.raw().answer().status == 429
    for raw in posting:
        raw.send(post[-1:])
        assert raw.answer().status in (200, 201)
    assert waiting.is_quiet() and stream.wake()


def test_with_64_descriptors_the_server_neither_spins_nor_dies(make):
    server = make(descriptors=64).start()
    good_client_is_served(server)
    # the kernel's backlog takes connections that the server cannot
    held = [server.raw() for _ in range(100)]
    before, began = server.cpu_seconds(), time.monotonic()
    time.sleep(1)  # the test measures an idle server
    assert server.cpu_seconds() - before < 0.2 * (time.monotonic() - began)
    for raw in held:
        raw.close()
    wait_until(lambda: server.client().call("GET", "/livez").status == 200, "a place to be free")
    good_client_is_served(server)


def test_connections_beyond_the_descriptors_are_answered_or_refused_with_retry(make):
    server = make(descriptors=64).start()
    busy, post = [server.raw() for _ in range(20)], request("POST", "/v1/events", server.token, BODY)
    for raw in busy:
        raw.send(post[:-1])
    more = [server.raw() for _ in range(80)]
    for raw in (*busy, *more):
        try:
            raw.send(post[-1:] if raw in busy else request("GET", "/livez"))
        except OSError:
            pass  # closed to free a descriptor
    assert {raw.answer().status for raw in busy} == {201}
    statuses = [answer and answer.status for answer in (raw.answer() for raw in more)]
    assert set(statuses) <= {200, 429, None}
    for raw in (*busy, *more):
        raw.close()
    wait_until(lambda: server.client().call("GET", "/livez").status == 200, "a place to be free")


def test_hanging_up_before_the_answer_is_noticed(start):
    """A thousand clients post and hang up: accepted events are stored, and no descriptor leaks."""
    server = start()
    good_client_is_served(server)
    wait_until(lambda: server.open_descriptors() < 40, "the first client to be gone")
    descriptors = server.open_descriptors()
    for n in range(200):
        raw = server.raw()
        raw.send(request("POST", "/v1/events", server.token, BODY))
        raw.close()
    wait_until(lambda: server.open_descriptors() <= descriptors, "descriptors to be closed")
    good_client_is_served(server)


def test_a_reset_in_the_middle_of_anything_is_survived(start):
    server = start()
    whole = request("POST", "/v1/events", server.token, BODY) * 2
    for cut in range(0, len(whole), 7):
        raw = server.raw()
        raw.send(whole[:cut])
        raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        raw.close()
    good_client_is_served(server)


def test_many_clients_at_once_are_all_answered_right(start):
    server = start()
    wrong = []

    def client(name):
        api = server.client()
        try:
            for n in range(40):
                event = ok(api.enqueue(f"{name} {n}", f"agent:{name}:main"), 201)["event"]
                if event["text"] != f"{name} {n}":
                    wrong.append(event)
            if api.texts(f"agent:{name}:main") != [f"{name} {n}" for n in range(40)]:
                wrong.append(name)
        except BaseException as e:
            wrong.append(e)
        finally:
            api.close()

    threads = [threading.Thread(target=client, args=(f"c{n}",)) for n in range(32)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, wrong[:3]


def test_a_client_that_sends_on_and_does_not_read_stops_nobody(server, api):
    """More requests wait behind its unread answer than the server reads ahead: it reads on only
    when the client does.
    """
    for n in range(4):
        ok(api.enqueue(f"{n}" + "x" * 60000, MAIN), 201)
    deaf, one = server.raw(receive_buffer=4096), request("GET", "/v1/events?sessionKey=" + MAIN, server.token)
    deaf.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            deaf.sock.send(one * 100)
    ok(api.enqueue("served", MAIN), 201)
    busy, end = server.cpu_seconds(), time.monotonic() + 0.3
    wait_until(lambda: time.monotonic() > end)
    assert server.cpu_seconds() - busy < 0.1
    deaf.sock.settimeout(30)
    assert ok(deaf.answer())["events"] and ok(deaf.answer())["events"]
