"""Raw requests that are malformed or unusual, with the answer that each must get (RFC 9112, and
doc/DESIGN.md on llhttp).

Here: the table. Not here: how they are sent (test_malformed.py).

Every refused request is followed by a valid one that enqueues the text SMUGGLED. A refusal ends the
connection, so that event must never be stored, however the bytes are cut into packets. TOKEN stands
for the token and has its length.
"""
from typing import NamedTuple

TOKEN = b"@TOKEN@".center(64, b"@")
GET, POST = b"GET /v1/stats HTTP/1.1", b"POST /v1/events HTTP/1.1"
HOST, AUTH, JSON = b"Host: 127.0.0.1", b"Authorization: Bearer " + TOKEN, b"Content-Type: application/json"
EVENT = b'{"text":"fine","sessionKey":"main","allowDuplicate":true}'
MARK = b'{"text":"SMUGGLED","sessionKey":"main","allowDuplicate":true}'
CHUNKED = b"Transfer-Encoding: chunked"


class Case(NamedTuple):
    name: str
    raw: bytes
    answers: tuple  # statuses in order
    closes: bool  # whether the server then ends the connection
    half_close: bool = False  # whether the client ends its side after sending
    head: bool = False  # whether the answers have no bodies


def length(body):
    return b"Content-Length: %d" % len(body)


def message(*lines, body=b""):
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def smuggled():
    return message(POST, HOST, AUTH, JSON, length(MARK), body=MARK)


def refused(name, raw, status, mark=True, **options):
    """One answer with this status, and the end."""
    return Case(name, raw + (smuggled() if mark else b""), (status,), True, **options)


def accepted(name, raw, *statuses, **options):
    """These answers, and the connection stays open."""
    return Case(name, raw, statuses or (200,), False, **options)


def last(name, raw, *statuses, **options):
    """These answers, and the end because the client asked for it."""
    return Case(name, raw, statuses or (200,), True, **options)


def get(*more, line=GET):
    return message(line, HOST, AUTH, *more)


def post(*more, body=EVENT, line=POST):
    return message(line, HOST, AUTH, JSON, *more, body=body)


def chunks(body, *more):
    return post(CHUNKED, *more, body=body)


REQUEST_LINES = [
    refused("nothing but a line end, then nothing", b"\r\n\r\n\r\n\r\nX\r\n\r\n", 400),
    accepted("an empty line before a request", b"\r\n" + get()),
    refused("no version (HTTP/0.9)", b"GET /v1/stats\r\n\r\n", 400),
    refused("no version, with headers", message(b"GET /v1/stats", HOST, AUTH), 400),
    refused("no target", get(line=b"GET HTTP/1.1"), 400),
    refused("empty target", get(line=b"GET  HTTP/1.1"), 400),
    refused("two spaces after the method", get(line=b"GET  /v1/stats HTTP/1.1"), 400),
    refused("two spaces before the version", get(line=b"GET /v1/stats  HTTP/1.1"), 400),
    refused("a tab after the method", get(line=b"GET\t/v1/stats HTTP/1.1"), 400),
    refused("a tab before the version", get(line=b"GET /v1/stats\tHTTP/1.1"), 400),
    refused("a space before the method", get(line=b" GET /v1/stats HTTP/1.1"), 400),
    refused("a space after the version", get(line=b"GET /v1/stats HTTP/1.1 "), 400),
    refused("words after the version", get(line=b"GET /v1/stats HTTP/1.1 HTTP/1.0"), 400),
    refused("a space in the target", get(line=b"GET /v1/ stats HTTP/1.1"), 400),
    refused("lower-case method", get(line=b"get /v1/stats HTTP/1.1"), 400),
    refused("mixed-case method", get(line=b"Get /v1/stats HTTP/1.1"), 400),
    refused("unknown method", get(line=b"FROBNICATE /v1/stats HTTP/1.1"), 400),
    refused("a method with a colon", get(line=b"GE:T /v1/stats HTTP/1.1"), 400),
    refused("a method with a NUL", get(line=b"G\0T /v1/stats HTTP/1.1"), 400),
    refused("no method", get(line=b"/v1/stats HTTP/1.1"), 400),
    refused("lower-case http", get(line=b"GET /v1/stats http/1.1"), 400),
    refused("another protocol", get(line=b"GET /v1/stats HTTQ/1.1"), 400),
    refused("another protocol, ICE", get(line=b"SOURCE /v1/stats ICE/1.0"), 400),
    refused("RTSP", get(line=b"DESCRIBE /v1/stats RTSP/1.0"), 400),
    refused("version 0.9 named", get(line=b"GET /v1/stats HTTP/0.9"), 505),
    refused("version 1.2", get(line=b"GET /v1/stats HTTP/1.2"), 505),
    refused("version 2.0", get(line=b"GET /v1/stats HTTP/2.0"), 505),
    refused("version 3.0", get(line=b"GET /v1/stats HTTP/3.0"), 505),
    refused("version 9.9", get(line=b"GET /v1/stats HTTP/9.9"), 505),
    refused("version 1", get(line=b"GET /v1/stats HTTP/1"), 400),
    refused("version 11.1", get(line=b"GET /v1/stats HTTP/11.1"), 400),
    refused("version 1.10", get(line=b"GET /v1/stats HTTP/1.10"), 400),
    refused("version 1,1", get(line=b"GET /v1/stats HTTP/1,1"), 400),
    refused("version with a sign", get(line=b"GET /v1/stats HTTP/+1.1"), 400),
    refused("the HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    refused("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)) + b"\r\n\r\n", 400),
    refused("an answer instead of a request", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400),
    refused("noise", bytes(range(255, 128, -1)) + b"\r\n\r\n", 400),
    refused("bare LF after the request line", get().replace(b"\r\n", b"\n", 1), 400),
    refused("bare LF everywhere", get().replace(b"\r\n", b"\n"), 400),
    refused("bare CR after the request line", get().replace(b"\r\n", b"\r", 1), 400),
    refused("CR CR LF after the request line", b"GET /v1/stats HTTP/1.1\r\r\nHost: 127.0.0.1\r\n\r\n", 400),
    refused("a bare CR before the request line", b"\r" + get(), 400),
    refused("a bare LF before the request line", b"\n" + get(), 400),
    refused("CR CR LF before the request line", b"\r\r\n" + get(), 400),
    refused("a bare CR before the second request line", b"\r\n\r" + get(), 400),
    refused("CONNECT of a path, with a body", post(length(MARK), line=b"CONNECT /v1/events HTTP/1.1", body=MARK), 400),
    refused("CONNECT", get(line=b"CONNECT 127.0.0.1:80 HTTP/1.1"), 400),
    refused("OPTIONS of everything", get(line=b"OPTIONS * HTTP/1.1"), 400),
    refused("an upgrade to h2c by PRI", get(line=b"PRI /v1/stats HTTP/1.1"), 400),
]

TARGETS = [
    accepted("absolute form", get(line=b"GET http://127.0.0.1/v1/stats HTTP/1.1")),
    accepted("absolute form with a body", post(length(EVENT), line=b"POST http://localhost/v1/events HTTP/1.1"), 201),
    accepted("absolute form in capitals", get(line=b"GET HTTP://LOCALHOST/v1/stats HTTP/1.1")),
    accepted("absolute form of IPv6", get(line=b"GET http://[::1]/v1/stats HTTP/1.1")),
    accepted("absolute form with a query", get(line=b"GET http://127.0.0.1/v1/events?sessionKey=main HTTP/1.1")),
    accepted("absolute form without a path", get(line=b"GET http://127.0.0.1 HTTP/1.1"), 200),
    accepted("absolute form without a path, with a query", get(line=b"GET http://127.0.0.1?/v1/stats HTTP/1.1"), 400),
    accepted("absolute form goes before Host", message(b"GET http://127.0.0.1/v1/stats HTTP/1.1", b"Host: evil.example", AUTH)),
    refused("absolute form without Host", message(b"GET http://127.0.0.1/v1/stats HTTP/1.1", AUTH), 400),
    refused("absolute form with another port", get(line=b"GET http://127.0.0.1:1/v1/stats HTTP/1.1"), 400),
    refused("absolute form with a user", get(line=b"GET http://user@127.0.0.1/v1/stats HTTP/1.1"), 400),
    refused("absolute form without an authority", get(line=b"GET http:///v1/stats HTTP/1.1"), 400),
    refused("absolute form with //", get(line=b"GET http://127.0.0.1//v1/stats HTTP/1.1"), 400),
    refused("absolute form with https", get(line=b"GET https://127.0.0.1/v1/stats HTTP/1.1"), 400),
    refused("absolute form of another host", get(line=b"GET http://evil.example/v1/stats HTTP/1.1"), 400),
    refused("absolute form, unknown scheme", get(line=b"GET x://127.0.0.1/v1/stats HTTP/1.1"), 400),
    refused("a path that begins with //", get(line=b"GET //v1/stats HTTP/1.1"), 400),
    refused("a path that names a host", get(line=b"GET //evil.example/v1/stats HTTP/1.1"), 400),
    refused("no slash", get(line=b"GET v1/stats HTTP/1.1"), 400),
    refused("a query alone", get(line=b"GET ?sessionKey=main HTTP/1.1"), 400),
    refused("a star", get(line=b"GET * HTTP/1.1"), 400),
    refused("an escaped NUL in the path", get(line=b"GET /v1/events/%00 HTTP/1.1"), 400),
    refused("an escaped NUL in the query", get(line=b"GET /v1/events?sessionKey=main%00x HTTP/1.1"), 400),
    refused("a NUL in the target", get(line=b"GET /v1/st\0ats HTTP/1.1"), 400),
    refused("a control character in the target", get(line=b"GET /v1/st\x01ats HTTP/1.1"), 400),
    refused("a DEL in the target", get(line=b"GET /v1/st\x7fats HTTP/1.1"), 400),
    refused("raw high bytes in the target", get(line=b"GET /v1/events?sessionKey=\xc3\xa9 HTTP/1.1"), 400),
    refused("a fragment", get(line=b"GET /v1/stats#x HTTP/1.1"), 400),
    accepted("a broken escape", get(line=b"GET /v1/events?sessionKey=%zz HTTP/1.1"), 400),
    accepted("half an escape", get(line=b"GET /v1/events?sessionKey=a% HTTP/1.1"), 400),
    accepted("a dot segment is no way around", get(line=b"GET /v1/../v1/stats HTTP/1.1"), 404),
    accepted("an escaped slash is no slash", get(line=b"GET /v1%2Fstats HTTP/1.1"), 404),
    accepted("an escaped path means the same or nothing", get(line=b"GET /v1/%73tats HTTP/1.1"), 404),
    accepted("a doubled slash inside", get(line=b"GET /v1//stats HTTP/1.1"), 404),
    accepted("an empty query", get(line=b"GET /v1/stats? HTTP/1.1")),
    refused("a target of 9,000 bytes", get(line=b"GET /v1/events?sessionKey=" + b"x" * 9000 + b" HTTP/1.1"), 414),
    refused("a target of 100,000 bytes", get(line=b"GET /v1/events?sessionKey=" + b"x" * 100000 + b" HTTP/1.1"), 414),
    refused("a method of 100,000 bytes", get(line=b"X" * 100000 + b" / HTTP/1.1"), 400),
]

HOSTS = [
    refused("no Host", message(GET, AUTH), 400),
    refused("two Hosts", message(GET, HOST, HOST, AUTH), 400),
    refused("two different Hosts", message(GET, HOST, b"Host: evil.example", AUTH), 400),
    refused("two Hosts in another case", message(GET, HOST, b"hOST: 127.0.0.1", AUTH), 400),
    refused("an empty Host", message(GET, b"Host:", AUTH), 400),
    refused("a Host list", message(GET, b"Host: 127.0.0.1, evil.example", AUTH), 400),
    refused("a Host with a user", message(GET, b"Host: user@127.0.0.1", AUTH), 400),
    refused("a Host with a path", message(GET, b"Host: 127.0.0.1/x", AUTH), 400),
    refused("a Host with a space", message(GET, b"Host: 127.0.0.1 evil.example", AUTH), 400),
    accepted("a Host in capitals", message(GET, b"HOST: LOCALHOST", AUTH)),
    accepted("another Host", message(GET, b"Host: evil.example", AUTH), 421),
    last("HTTP/1.0 without a Host", message(b"GET /livez HTTP/1.0"), 200),
    refused("HTTP/1.0 with two Hosts", message(b"GET /livez HTTP/1.0", HOST, HOST), 400),
    last("HTTP/1.0 with another Host", message(b"GET /v1/stats HTTP/1.0", b"Host: evil.example", AUTH), 421),
]

HEADERS = [
    refused("an empty header name", get(b": value"), 400),
    refused("a header without a colon", get(b"X-Nothing"), 400),
    refused("a space before the colon", message(GET, b"Host : 127.0.0.1", AUTH), 400),
    refused("a tab before the colon", get(b"X-Tab\t: x"), 400),
    refused("a space before Content-Length's colon", post(b"Content-Length : %d" % len(EVENT)), 400),
    refused("a space before Transfer-Encoding's colon", post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"), 400),
    refused("a continued line", get(b"X-Long: one\r\n two"), 400),
    refused("a line continued by a tab", get(b"X-Long: one\r\n\ttwo"), 400),
    refused("a continued Host", message(GET, b"Host: 127.0.0.1\r\n .evil.example", AUTH), 400),
    refused("a continued Content-Length", post(b"Content-Length:\r\n %d" % len(EVENT)), 400),
    refused("a continued Transfer-Encoding", post(b"Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n"), 400),
    refused("a first header that begins with a space", message(GET, b" X: y", HOST, AUTH), 400),
    refused("a NUL in a name", get(b"X-\0: x"), 400),
    refused("a NUL in a value", get(b"X-Nul: a\0b"), 400),
    refused("a NUL in the token", message(GET, HOST, AUTH + b"\0"), 400),
    refused("a control character in a value", get(b"X-Bell: \x07"), 400),
    refused("a DEL in a value", get(b"X-Del: \x7f"), 400),
    refused("a bare CR in a value", get(b"X-Cr: a\rb"), 400),
    refused("a bare LF in a value", get(b"X-Lf: a\nb: c"), 400),
    refused("a bare LF after a header", message(GET, b"X-Lf: a\nX-Other: b", HOST, AUTH), 400),
    refused("bare LF LF at the end", b"\r\n".join((GET, HOST, AUTH)) + b"\n\n", 400),
    refused("CR CR LF after a header", message(GET, HOST, AUTH, b"X: y\r"), 400),
    refused("a high byte in a name", get(b"X-\xe9: x"), 400),
    refused("a bracket in a name", get(b"X(y): x"), 400),
    refused("a quote in a name", get(b'"X": x'), 400),
    refused("a space in a name", get(b"X Y: x"), 400),
    accepted("a tab in a value", get(b"X-Tab: a\tb")),
    accepted("high bytes in a value", get(b"X-High: \xc3\xa9\xff")),
    accepted("no space after the colon", message(GET, b"Host:127.0.0.1", AUTH.replace(b": ", b":"))),
    accepted("spaces around a value", message(GET, b"Host: \t 127.0.0.1 \t", AUTH)),
    accepted("an empty value", get(b"X-Empty:")),
    accepted("names in any case", message(GET, b"hOsT: 127.0.0.1", AUTH.replace(b"Authorization", b"AUTHORIZATION"))),
    refused("headers of 20,000 bytes in one", get(b"X-Big: " + b"x" * 20000), 431),
    refused("headers of 20,000 bytes in many", get(*(b"X-%d: %s" % (n, b"y" * 90) for n in range(200))), 431),
    refused("a header name of 20,000 bytes", get(b"X" * 20000 + b": y"), 431),
    refused("headers without end", GET + b"\r\n" + b"X-More: y\r\n" * 5000, 431, mark=False),
    accepted("many small headers", get(*(b"X-%d: y" % n for n in range(90)))),
]

LENGTHS = [
    refused("two different lengths", post(length(EVENT), b"Content-Length: 5"), 400),
    refused("two equal lengths", post(length(EVENT), length(EVENT)), 400),
    refused("a list of lengths", post(b"Content-Length: %d, %d" % (len(EVENT), len(EVENT))), 400),
    refused("a negative length", post(b"Content-Length: -1"), 400),
    refused("a length with a plus", post(b"Content-Length: +%d" % len(EVENT)), 400),
    refused("a hexadecimal length", post(b"Content-Length: 0x39"), 400),
    refused("a length in words", post(b"Content-Length: many"), 400),
    refused("an empty length", post(b"Content-Length:"), 400),
    refused("a length with a point", post(b"Content-Length: 5.0"), 400),
    refused("a length with a space inside", post(b"Content-Length: 5 7"), 400),
    refused("a length in quotes", post(b'Content-Length: "57"'), 400),
    refused("a length that overflows 64 bits", post(b"Content-Length: 18446744073709551617"), 413),
    refused("a length that overflows to ours", post(b"Content-Length: 18446744073709551673"), 413),
    refused("a length of a terabyte", post(b"Content-Length: 1000000000000"), 413),
    refused("a length over the limit", post(b"Content-Length: 1048577"), 413),
    refused("length and chunks", post(length(EVENT), CHUNKED, body=b"0\r\n\r\n"), 400),
    refused("chunks and length", post(CHUNKED, b"Content-Length: 5", body=b"0\r\n\r\n"), 400),
    refused("a body on GET", get(length(EVENT)) + EVENT, 400),
    refused("a chunked body on GET", get(CHUNKED) + b"0\r\n\r\n", 400),
    refused("a body on HEAD", message(b"HEAD /v1/stats HTTP/1.1", HOST, AUTH, length(EVENT), body=EVENT), 400, head=True),
    accepted("a length of nothing on GET", get(b"Content-Length: 0")),
    accepted("leading zeros", post(b"Content-Length: 000%d" % len(EVENT)), 201),
    accepted("no body and no length on POST", message(POST, HOST, AUTH, JSON), 400),
    last("a body on HTTP/1.0 without a length is not read", message(b"POST /v1/events HTTP/1.0", HOST, AUTH, JSON, body=EVENT) + smuggled(), 400),
    last("a body on HTTP/1.0", post(length(EVENT), line=b"POST /v1/events HTTP/1.0"), 201),
]

CHUNKS = [
    accepted("one chunk", chunks(b"%x\r\n%s\r\n0\r\n\r\n" % (len(EVENT), EVENT)), 201),
    accepted("a chunk for each byte", chunks(b"".join(b"1\r\n%c\r\n" % c for c in EVENT) + b"0\r\n\r\n"), 201),
    accepted("capital hexadecimal and leading zeros", chunks(b"00%X\r\n%s\r\n000\r\n\r\n" % (len(EVENT), EVENT)), 201),
    accepted("a chunk extension", chunks(b"%x;name=value\r\n%s\r\n0\r\n\r\n" % (len(EVENT), EVENT)), 201),
    accepted("a quoted chunk extension", chunks(b'%x;name="va;lue"\r\n%s\r\n0\r\n\r\n' % (len(EVENT), EVENT)), 201),
    accepted("two chunk extensions", chunks(b"%x;a=b;c\r\n%s\r\n0;d\r\n\r\n" % (len(EVENT), EVENT)), 201),
    accepted("white space in chunk extensions", chunks(b"%x ; a\t= b \t;\tc ;d\r\n%s\r\n0\r\n\r\n" % (len(EVENT), EVENT)), 201),
    accepted("quoted pairs in chunk extensions", chunks(b'%x;a="\\"\\\\;\t\xe9";b=""\r\n%s\r\n0\r\n\r\n' % (len(EVENT), EVENT)), 201),
    refused("an empty chunk extension", chunks(b"3;\r\nabc\r\n0\r\n\r\n"), 400),
    refused("a chunk extension without a name", chunks(b"3;=a\r\nabc\r\n0\r\n\r\n"), 400),
    refused("a chunk extension without a value", chunks(b"3;a=\r\nabc\r\n0\r\n\r\n"), 400),
    refused("a chunk extension with two values", chunks(b"3;a=b c\r\nabc\r\n0\r\n\r\n"), 400),
    refused("a chunk extension that ends with a space", chunks(b"3;a \r\nabc\r\n0\r\n\r\n"), 400),
    refused("an open quote in a chunk extension", chunks(b'3;a="b\r\nabc\r\n0\r\n\r\n'), 400),
    refused("a quoted line end in a chunk extension", chunks(b'3;a="\\\r\n";b\r\nabc\r\n0\r\n\r\n'), 400),
    refused("a bare CR in a chunk extension", chunks(b"3;a\rb\r\nabc\r\n0\r\n\r\n"), 400),
    refused("an empty trailer name", chunks(b"%x\r\n%s\r\n0\r\n: y\r\n\r\n" % (len(EVENT), EVENT)), 400),
    refused("a space before a trailer's colon", chunks(b"%x\r\n%s\r\n0\r\nX : y\r\n\r\n" % (len(EVENT), EVENT)), 400),
    refused("a Transfer-Encoding trailer", chunks(b"%x\r\n%s\r\n0\r\ntransfer-ENCODING: chunked\r\n\r\n" % (len(EVENT), EVENT)), 400),
    refused("a bare CR in a trailer", chunks(b"%x\r\n%s\r\n0\r\nX: y\rz\r\n\r\n" % (len(EVENT), EVENT)), 400),
    refused("a NUL in a trailer", chunks(b"%x\r\n%s\r\n0\r\nX: \0\r\n\r\n" % (len(EVENT), EVENT)), 400),
    accepted("trailers are dropped", chunks(b"%x\r\n%s\r\n0\r\nX-Trailer: y\r\nAuthorization: Bearer wrong\r\n\r\n" % (len(EVENT), EVENT)), 201),
    accepted("a Host in a trailer is none", chunks(b"%x\r\n%s\r\n0\r\nHost: evil.example\r\n\r\n" % (len(EVENT), EVENT)), 201),
    accepted("Chunked in capitals", post(b"Transfer-Encoding: CHUNKED", body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(EVENT), EVENT)), 201),
    accepted("an empty chunked body", chunks(b"0\r\n\r\n"), 400),
    refused("a trailer without a colon", chunks(b"%x\r\n%s\r\n0\r\nX\r\n\r\n" % (len(EVENT), EVENT)), 400),
    refused("a continued trailer", chunks(b"%x\r\n%s\r\n0\r\nX: y\r\n z\r\n\r\n" % (len(EVENT), EVENT)), 400),
    refused("a Content-Length trailer", chunks(b"%x\r\n%s\r\n0\r\nContent-Length: 5\r\n\r\n" % (len(EVENT), EVENT)), 400),
    refused("trailers over the limit", chunks(b"%x\r\n%s\r\n0\r\nX: %s\r\n\r\n" % (len(EVENT), EVENT, b"y" * 20000)), 431),
    refused("a chunk size in words", chunks(b"xyz\r\nabc\r\n0\r\n\r\n"), 400),
    refused("an empty chunk size", chunks(b"\r\nabc\r\n0\r\n\r\n"), 400),
    refused("a negative chunk size", chunks(b"-1\r\nabc\r\n0\r\n\r\n"), 400),
    refused("a chunk size with a plus", chunks(b"+3\r\nabc\r\n0\r\n\r\n"), 400),
    refused("a chunk size with 0x", chunks(b"0x3\r\nabc\r\n0\r\n\r\n"), 400),
    refused("a space before a chunk size", chunks(b" 3\r\nabc\r\n0\r\n\r\n"), 400),
    refused("a space after a chunk size", chunks(b"3 \r\nabc\r\n0\r\n\r\n"), 400),
    refused("a chunk size that overflows", chunks(b"10000000000000003\r\nabc\r\n0\r\n\r\n"), 400),
    refused("a chunk size of sixteen fs", chunks(b"ffffffffffffffff\r\nabc\r\n0\r\n\r\n"), 413),
    refused("a chunk over the limit", chunks(b"100001\r\n" + b" " * 100), 413),
    refused("chunks over the limit together", chunks((b"10000\r\n" + b" " * 65536 + b"\r\n") * 17 + b"0\r\n\r\n"), 413),
    refused("bare LF after a chunk size", chunks(b"3\nabc\r\n0\r\n\r\n"), 400),
    refused("bare CR after a chunk size", chunks(b"3\rabc\r\n0\r\n\r\n"), 400),
    refused("bare LF after a chunk", chunks(b"3\r\nabc\n0\r\n\r\n"), 400),
    refused("no line end after a chunk", chunks(b"3\r\nabc0\r\n\r\n"), 400),
    refused("a chunk that is longer than it says", chunks(b"3\r\nabcd\r\n0\r\n\r\n"), 400),
    refused("bare LF after the last chunk", chunks(b"0\n\n"), 400),
    refused("a NUL in a chunk size", chunks(b"3\0\r\nabc\r\n0\r\n\r\n"), 400),
    refused("a NUL in a chunk extension", chunks(b"3;\0\r\nabc\r\n0\r\n\r\n"), 400),
    refused("a bare LF in a chunk extension", chunks(b"3;a\nb\r\nabc\r\n0\r\n\r\n"), 400),
    refused("a chunk extension of 20,000 bytes", chunks(b"3;" + b"x" * 20000 + b"\r\nabc\r\n0\r\n\r\n"), 431),
]

CODINGS = [
    refused("identity", post(b"Transfer-Encoding: identity", length(EVENT)), 400),
    refused("identity alone", post(b"Transfer-Encoding: identity", body=b""), 400),
    refused("gzip", post(b"Transfer-Encoding: gzip", body=b""), 400),
    refused("gzip, chunked", post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501),
    refused("chunked, gzip", post(b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n"), 400),
    refused("chunked, chunked", post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"), 400),
    refused("chunked, identity", post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"), 400),
    refused("chunked twice", post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"), 400),
    refused("xchunked", post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), 400),
    refused("chunkedx", post(b"Transfer-Encoding: chunkedx", body=b"0\r\n\r\n"), 400),
    refused("chunked with a parameter", post(b"Transfer-Encoding: chunked;q=1", body=b"0\r\n\r\n"), 400),
    refused("chunked in quotes", post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"), 400),
    refused("chunked after a comma", post(b"Transfer-Encoding: ,chunked", body=b"0\r\n\r\n"), 501),
    refused("chunked before a comma", post(b"Transfer-Encoding: chunked,", body=b"0\r\n\r\n"), 400),
    refused("chunked after a vertical tab", post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"), 400),
    refused("an empty coding", post(b"Transfer-Encoding:", length(EVENT)), 400),
    refused("chunked on HTTP/1.0", post(CHUNKED, line=b"POST /v1/events HTTP/1.0", body=b"0\r\n\r\n"), 400),
    refused("chunked on HTTP/1.0 keep-alive", post(CHUNKED, b"Connection: keep-alive", line=b"POST /v1/events HTTP/1.0", body=b"0\r\n\r\n"), 400),
    refused("an encoded body", post(b"Content-Encoding: gzip", length(EVENT)), 415),
]

CONNECTIONS = [
    last("Connection: close", get(b"Connection: close") + smuggled()),
    last("Connection: CLOSE", get(b"Connection: CLOSE") + smuggled()),
    last("close in a list", get(b"Connection: x, close") + smuggled()),
    last("close in a second Connection", get(b"Connection: keep-alive", b"Connection: close") + smuggled()),
    accepted("closer is not close", get(b"Connection: closer")),
    accepted("keep-alive", get(b"Connection: keep-alive")),
    last("HTTP/1.0 closes", get(line=b"GET /v1/stats HTTP/1.0") + smuggled()),
    accepted("an upgrade is not taken up", get(b"Connection: Upgrade", b"Upgrade: websocket")),
    accepted("an upgrade to h2c is not taken up", get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__")),
    accepted("an upgrade with a body", post(b"Connection: Upgrade", b"Upgrade: h2c", length(EVENT)), 201),
    last("half-close after a request", get(), half_close=True),
    last("half-close after a post", post(length(EVENT)), 201, half_close=True),
    last("half-close after two requests", get() + post(length(EVENT)), 200, 201, half_close=True),
    Case("half-close and nothing", b"", (), True, half_close=True),
    Case("half-close in a request line", b"GET /v1", (400,), True, half_close=True),
    Case("half-close in the headers", GET + b"\r\nHost: 12", (400,), True, half_close=True),
    Case("half-close in a body", post(b"Content-Length: %d" % (len(MARK) + 1), body=MARK), (400,), True, half_close=True),
    Case("half-close in a chunk", chunks(b"%x\r\n%s" % (len(MARK) + 1, MARK)), (400,), True, half_close=True),
    Case("half-close before the last chunk", chunks(b"%x\r\n%s\r\n" % (len(MARK), MARK)), (400,), True, half_close=True),
    accepted("HEAD has no body", message(b"HEAD /v1/stats HTTP/1.1", HOST, AUTH) * 2, 200, 200, head=True),
    accepted("HEAD of nothing", message(b"HEAD /nothing HTTP/1.1", HOST, AUTH), 404, head=True),
    accepted("HEAD without a token", message(b"HEAD /v1/stats HTTP/1.1", HOST), 401, head=True),
    refused("HEAD without a Host", message(b"HEAD /v1/stats HTTP/1.1", AUTH), 400, head=True),
]

EXPECTATIONS = [
    accepted("100-continue", post(b"Expect: 100-continue", length(EVENT)), 201),
    accepted("100-Continue", post(b"Expect: 100-Continue", length(EVENT)), 201),
    accepted("100-continue without a body", get(b"Expect: 100-continue")),
    last("100-continue on HTTP/1.0 is ignored", post(b"Expect: 100-continue", length(EVENT), line=b"POST /v1/events HTTP/1.0"), 201),
    refused("another expectation", post(b"Expect: 200-ok", length(EVENT)), 417),
    refused("two expectations", post(b"Expect: 100-continue, x", length(EVENT)), 417),
    refused("an expectation of a body over the limit", post(b"Expect: 100-continue", b"Content-Length: 1048577", body=b""), 413),
    refused("an expectation without a token", message(POST, HOST, JSON, b"Expect: 100-continue", length(MARK)), 401, mark=False),
    refused("an expectation of another kind of body", message(POST, HOST, AUTH, b"Content-Type: text/plain", b"Expect: 100-continue", length(MARK)), 415, mark=False),
]

PIPELINES = [
    accepted("three requests", get() + post(length(EVENT)) + get(line=b"GET /nothing HTTP/1.1"), 200, 201, 404),
    accepted("twenty requests", get(line=b"GET /livez HTTP/1.1") * 20, *[200] * 20),
    accepted("an empty line between requests", get() + b"\r\n" + get(), 200, 200),
    accepted("a post, then a look at it", post(length(EVENT)) + get(line=b"GET /v1/events?sessionKey=main&limit=1 HTTP/1.1"), 201, 200),
    accepted("a refused event, then a good one", post(b"Content-Length: 2", body=b"{}") + post(length(EVENT)), 400, 201),
    accepted("an unauthorized post, then a good one", message(POST, HOST, JSON, length(MARK), body=MARK) + post(length(EVENT)), 401, 201),
    accepted("a misdirected post, then a good one", message(POST, b"Host: evil.example", AUTH, JSON, length(MARK), body=MARK) + post(length(EVENT)), 421, 201),
    accepted("a post to nowhere, then a good one", post(length(MARK), body=MARK, line=b"POST /nothing HTTP/1.1") + post(length(EVENT)), 404, 201),
    accepted("a method that is not allowed, then a good one", post(length(MARK), body=MARK, line=b"PUT /v1/events HTTP/1.1") + post(length(EVENT)), 405, 201),
    accepted("a wrong type, then a good one", message(POST, HOST, AUTH, length(MARK), body=MARK) + post(length(EVENT)), 415, 201),
    accepted("chunks, then length", chunks(b"%x\r\n%s\r\n0\r\n\r\n" % (len(EVENT), EVENT)) + post(length(EVENT)), 201, 201),
    Case("a good one, then a broken one", post(length(EVENT)) + b"BROKEN\r\n\r\n" + smuggled(), (201, 400), True),
    Case("a good one, then two lengths", post(length(EVENT)) + post(length(EVENT), length(EVENT)) + smuggled(), (201, 400), True),
    Case("a body with a request inside", post(length(smuggled()), body=smuggled()), (400,), False),
    Case("a chunk with a request inside", chunks(b"%x\r\n%s\r\n0\r\n\r\n" % (len(smuggled()), smuggled())), (400,), False),
    Case("a length that ends early", post(b"Content-Length: 2", body=b"{}" + b"X" + smuggled()), (400, 400), True),
    Case("a chunked body that ends early", chunks(b"0\r\n\r\nX" + smuggled()), (400, 400), True),
]

OWS = [b"", b" ", b"\t", b" \t", b"\t ", b"\t\t", b" " * 30]
NO_OWS = [b"\x0b", b"\x0c", b"\0", b" \x0b", b"\t\x1f"]


def framed(header, before, after):
    """A request with the header that frames or routes it, and white space around its value."""
    value = lambda text: header + b":" + before + text + after
    if header == b"Content-Length":
        return post(value(b"%d" % len(EVENT)))
    if header == b"Transfer-Encoding":
        return post(value(b"chunked"), body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(EVENT), EVENT))
    if header == b"Host":
        return message(GET, value(b"127.0.0.1"), AUTH)
    if header == b"Expect":
        return post(value(b"100-continue"), length(EVENT))
    return get(*([b"Connection: upgrade"] if header == b"Upgrade" else []), value(b"h2c" if header == b"Upgrade" else b"close"))


def framing(header, before, after):
    """RFC 9110 section 5.5: spaces and tabs around a value are no part of it. Where llhttp does not
    see that a body is chunked, the message is refused.
    """
    name, raw = f"{header.decode()} between {before!r} and {after!r}", framed(header, before, after)
    if before in NO_OWS or after in NO_OWS or (header == b"Transfer-Encoding" and b"\t" in after):
        return refused(name, raw, 400)
    if header == b"Connection":
        return last(name, raw + smuggled())
    return accepted(name, raw, 201 if raw.startswith(b"POST") else 200)


FRAMING = [framing(header, before, after) for header in (b"Content-Length", b"Transfer-Encoding", b"Host", b"Connection", b"Expect", b"Upgrade")
    for before, after in [*((b" ", w) for w in OWS + NO_OWS), *((w, b"") for w in OWS + NO_OWS), *((w, w) for w in OWS[2:])]]
FRAMING += [refused(f"{header.decode()} and {w!r} before its colon", framed(header, b" ", b"").replace(header + b":", header + w + b":"), 400)
    for header in (b"Content-Length", b"Transfer-Encoding", b"Host", b"Connection", b"Expect", b"Upgrade") for w in OWS[1:] + NO_OWS]
FRAMING = list({c.name: c for c in FRAMING}.values())

CASES = [Case(f"{group}: {c.name}", *c[1:]) for group, cases in (("request line", REQUEST_LINES), ("target", TARGETS), ("host", HOSTS), ("header", HEADERS), ("length", LENGTHS),
    ("chunk", CHUNKS), ("coding", CODINGS), ("framing", FRAMING), ("connection", CONNECTIONS), ("expect", EXPECTATIONS), ("pipeline", PIPELINES)) for c in cases]
