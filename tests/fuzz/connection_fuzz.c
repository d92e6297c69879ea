/*
 * connection_fuzz.c - a connection answers what the reference says, however its bytes are cut.
 *
 * The first byte of the input says how the others are cut into pieces; these go to the real code of
 * server/http/, except wire.c, and its only calls answer with what they were asked. Then the client
 * ends its side.
 */
#include <assert.h>
#include <string.h>

#include "connection_reference.h"
#include "fuzz.h"
#include "memory_wire.h"
#include "server/http/connections.h"
#include "server/http/reply.h"
#include "server/log.h"

#define PIECES 6
#define SLOW_READER 64 /* a bit of the first byte: the socket takes few bytes at a time */
#define SLOW_BYTES 100

static struct http http;
static struct endpoint endpoint;
static char asked_path[REFERENCE_HEAD_BYTES];

/* --- the server --- */

static void
echo(struct request *request)
{
	struct buf *out = reply_begin(request);

	buf_adds(out, llhttp_method_name(request->method));
	buf_adds(out, " ");
	buf_adds(out, asked_path);
	buf_adds(out, "?");
	if (request->query.s != NULL)
		buf_add(out, request->query.s, request->query.len);
	buf_adds(out, "\n");
	buf_add(out, request->body.s, request->body.len);
	reply_send(request, &(struct reply){ .status = 200 });
}

static const struct call calls[] = {
	{ .handle = echo, .path = "look" },
	{ .handle = echo, .path = "change", .takes_body = true, .takes_any = true },
};

static const struct call *
find(uint8_t method, struct str path, struct str *id, char allow[64], struct error *err)
{
	(void)id, (void)err;
	allow[0] = '\0';
	memcpy(asked_path, path.s, path.len);
	asked_path[path.len] = '\0';
	return &calls[method != HTTP_GET && method != HTTP_HEAD];
}

static void
clear(struct request *request)
{
	(void)request;
}

static const struct http_calls table = { calls, 2, find, NULL, 0, clear, NULL };

static void
start(void)
{
	log_configure(LOG_ERROR, LOG_JSON);
	http.calls = &table;
	http.limits = (struct http_limits){
		.message = { REFERENCE_HEAD_BYTES, REFERENCE_TARGET_BYTES, REFERENCE_BODY_BYTES },
		.pipelined_bytes_max = 4096,
		.buffered_bytes_max = 1 << 30,
		.connections_max = 10,
		.connections_per_address_max = 10,
		.requests_per_connection_max = UINT64_MAX,
	};
	connections_init(&http);
	assert(endpoint_parse("127.0.0.1:7387", &endpoint, NULL) == 0);
}

/* --- the client --- */

/* The longest piece, by the first byte of the input: everything, one byte, or a part. */
static size_t
piece_max(uint8_t how, size_t len)
{
	if (how == UINT8_MAX)
		return 1;
	return how % 4 == 0 ? len : 1 + len * 2 / PIECES;
}

static void
converse(const char *input, size_t len, uint8_t how)
{
	const size_t most = piece_max(how, len);
	unsigned random = how;
	size_t piece;

	for (size_t sent = 0; sent < len; sent += piece) {
		random = random * 1103515245 + 12345;
		piece = how % 4 == 0 ? most : 1 + (random >> 16) % most;
		piece = piece < len - sent ? piece : len - sent;
		memory_wire_send(input + sent, piece);
	}
	memory_wire_end();
	assert(memory_wire_is_closed() && http.stats.connections == 0);
	assert(http.stats.buffered_bytes == 0);
}

/* The number behind the words in the head of an answer. */
static size_t
number_behind(const char *head, const char *words)
{
	const char *at = strstr(head, words);
	size_t n = 0;

	assert(at != NULL);
	for (at += strlen(words); *at >= '0' && *at <= '9'; at++)
		n = n * 10 + (size_t)(*at - '0');
	return n;
}

/* The body of an answer is what was echoed, and a newline unless that ends with one. */
static void
check_echo(struct str body, const struct outcome *expected)
{
	const struct str echo = { expected->echo, expected->echo_len };
	const bool adds = echo.s[echo.len - 1] != '\n';

	assert(body.len == echo.len + adds && body.s[body.len - 1] == '\n');
	assert(memcmp(body.s, echo.s, echo.len) == 0);
}

/* Takes one answer and compares it. */
static void
check_answer(struct str *answers, const struct outcome *expected)
{
	const char *end = strstr(answers->s, "\r\n\r\n");
	char head[1024];
	size_t len, status;

	assert(end != NULL && (size_t)(end - answers->s) < sizeof(head));
	len = (size_t)(end - answers->s);
	memcpy(head, answers->s, len);
	head[len] = '\0';
	status = number_behind(head, "HTTP/1.1 ");
	*answers = (struct str){ end + 4, answers->len - len - 4 };
	if (status == 100) {
		check_answer(answers, expected);
		return;
	}
	if (expected->expected != EXPECTED_EITHER)
		assert((expected->expected == EXPECTED_ECHO) == (status == 200));
	assert((strstr(head, "\r\nConnection: close") != NULL) == expected->closes);
	/* The answer to a message that is no HTTP has a body, unless it began with HEAD. */
	if (expected->is_head || (expected->closes && status >= 400 && answers->len == 0))
		return;
	len = number_behind(head, "\r\nContent-Length: ");
	assert(len <= answers->len);
	if (status == 200)
		check_echo((struct str){ answers->s, len }, expected);
	*answers = (struct str){ answers->s + len, answers->len - len };
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome expected;
	const char *input = (const char *)data + 1;
	struct str answers;
	size_t at = 0;

	if (http.calls == NULL)
		start();
	if (size < 2)
		return 0;
	memory_wire_init((data[0] & SLOW_READER) != 0 ? SLOW_BYTES : SIZE_MAX);
	http.listeners.accepted(&http, &endpoint, -1, &(struct sockaddr){ .sa_family = AF_UNIX });
	converse(input, size - 1, data[0]);
	answers = memory_wire_answers();
	expected.closes = false;
	while (!expected.closes && reference_next(input, size - 1, &at, &expected))
		check_answer(&answers, &expected);
	assert(answers.len == 0);
	return 0;
}
