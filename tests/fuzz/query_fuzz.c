/*
 * query_fuzz.c - whatever stands behind the ? of a request, each call that reads it answers by it
 * or refuses it, and a peek answers what a plain reader of queries expects.
 *
 * The first byte of the input chooses the call, the others are the query. Bytes that no target may
 * have are sent escaped. The calls are the server's own, on an engine whose store is in memory.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "memory_wire.h"
#include "queue/clock.h"
#include "schema/event.h"
#include "server/calls/askers.h"
#include "server/calls/backups.h"
#include "server/calls/calls.h"
#include "server/calls/routes.h"
#include "server/calls/stream.h"
#include "server/calls/wait.h"
#include "server/http/connections.h"
#include "server/log.h"
#include "tests/unit/memory_store.h"

#define KEY "agent:main:main"
#define EVENTS 5
#define TARGET_BYTES 4096

static struct calls calls;
static struct memory_store store;
static struct endpoint endpoint;

static const char *const asked[] = {
	"GET /v1/events",   "GET /v1/history", "GET /v1/dead-letters", "GET /v1/sessions",
	"GET /v1/events/1", "GET /v1/wait",    "GET /v1/stream",       "DELETE /v1/events/99",
};

/* --- the server --- */

static struct clock
stopped(void)
{
	return (
	    struct clock){ .wall_ms = INT64_C(1800000000000), .boot_ms = 1000000, .boot_id = 1 };
}

static void
run_engine(void)
{
	struct error err;
	int failed;

	do {
		connections_resume(&calls.http);
		failed = engine_turn(calls.engine, &err);
		assert(failed == 0);
		waits_end_overdue(calls.waits);
		streams_flush(calls.streams);
	} while (engine_has_work(calls.engine) || !TAILQ_EMPTY(&calls.http.resumable));
}

/* Sends it as the only request of a connection; what was answered lasts until the next. */
static struct str
ask(const char *request, size_t len)
{
	memory_wire_init(SIZE_MAX);
	calls.http.listeners.accepted(&calls.http, &endpoint, -1,
				      &(struct sockaddr){ .sa_family = AF_UNIX });
	memory_wire_send(request, len);
	run_engine();
	memory_wire_end();
	run_engine();
	assert(memory_wire_is_closed());
	return memory_wire_answers();
}

static void
post(const char *path, const char *body)
{
	char request[512];
	struct str answer;
	int len = snprintf(request, sizeof(request),
			   "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
			   "\r\nContent-Length: %zu\r\n\r\n%s",
			   path, strlen(body), body);

	answer = ask(request, (size_t)len);
	assert(str_starts(answer, STR("HTTP/1.1 20")));
}

static void
open_engine(void)
{
	struct engine_options options;
	struct policy *policy;
	int failed;

	engine_options_init(&options);
	memory_store_init(&store);
	failed = policy_parse("", 0, NULL, &policy, NULL);
	assert(failed == 0);
	failed = engine_open(&store.base, policy, &options, &calls.engine, NULL);
	assert(failed == 0);
	engine_on_wake(calls.engine, streams_on_wake, calls.streams);
}

/* Events in every state: settled, pending, delayed, leased. */
static void
fill(void)
{
	post("/v1/events", "{\"text\":\"drained\",\"sessionKey\":\"" KEY "\"}");
	post("/v1/drain", "{\"sessionKey\":\"" KEY "\"}");
	for (int i = 0; i < EVENTS; i++)
		post("/v1/events",
		     "{\"text\":\"x\",\"allowDuplicate\":true,\"sessionKey\":\"" KEY "\"}");
	post("/v1/events", "{\"text\":\"x\",\"delayMs\":1000,\"sessionKey\":\"agent:b:main\"}");
	post("/v1/events", "{\"text\":\"x\",\"contextKey\":\"c\",\"sessionKey\":\"agent:c:main\"}");
	post("/v1/leases", "{\"sessionKey\":\"agent:c:main\"}");
}

static void
start(void)
{
	struct http *http = &calls.http;

	clock_now = stopped;
	log_configure(LOG_ERROR, LOG_JSON);
	http->base = event_base_new();
	http->calls = &routes;
	http->limits = (struct http_limits){
		.message = { 2 * TARGET_BYTES, TARGET_BYTES, 4096 },
		.pipelined_bytes_max = 4096,
		.buffered_bytes_max = 1 << 30,
		.connections_max = 10,
		.connections_per_address_max = 10,
		.requests_per_connection_max = UINT64_MAX,
	};
	connections_init(http);
	calls.limits = (struct call_limits){ .batch_events_max = 10,
					     .waiters_max = 10,
					     .streams_max = 10,
					     .stream_buffer_bytes = 1 << 16,
					     .stream_ping_ms = 1000 };
	calls.waits = waits_new();
	calls.streams = streams_new(&calls);
	calls.askers = askers_new();
	calls.backups = backups_new(&calls, NULL);
	assert(endpoint_parse("127.0.0.1:7387", &endpoint, NULL) == 0);
	open_engine();
	fill();
}

/* --- what a peek must answer, by a plain reader --- */

enum expected { EXPECTED_EVENTS, EXPECTED_REFUSAL, EXPECTED_ANYTHING };

struct peek {
	bool names_key;
	long long after, limit;
	unsigned seen; /* a bit for each parameter */
};

/* Decodes a part of a query. Returns its length, or -1 where an escape is broken. */
static int
decode(const char *from, size_t len, char *to)
{
	char digits[3] = "", *end;
	int n = 0;

	for (size_t i = 0; i < len; i++) {
		if (from[i] != '%') {
			to[n++] = from[i] == '+' ? ' ' : from[i];
			continue;
		}
		if (len - i < 3 || strspn(from + i + 1, "0123456789abcdefABCDEF") < 2)
			return -1;
		memcpy(digits, from + i + 1, 2);
		to[n++] = (char)strtoul(digits, &end, 16);
		i += 2;
	}
	to[n] = '\0';
	return n;
}

/* A number written in digits alone, as far as it may go; -1: it is none, or beyond. */
static long long
number(const char *text, int len, long long most)
{
	long long n = 0;

	for (int i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' || n > (most - (text[i] - '0')) / 10)
			return -1;
		n = n * 10 + (text[i] - '0');
	}
	return len > 0 ? n : -1;
}

/* What a peek is told, each at most once. The first three are an address by themselves. */
enum { SESSION_KEY, AGENT_ID, QUEUE_KEY, LIMIT, AFTER, EXACT, CHANNEL, ACCOUNT_ID, PARAMETERS };
#define ADDRESSES (1u << SESSION_KEY | 1u << AGENT_ID | 1u << QUEUE_KEY)

static enum expected
read_parameter(const char *name, const char *value, int len, struct peek *ret)
{
	static const char *const names[PARAMETERS] = {
		[SESSION_KEY] = "sessionKey",
		[AGENT_ID] = "agentId",
		[QUEUE_KEY] = "queueKey",
		[LIMIT] = "limit",
		[AFTER] = "after",
		[EXACT] = "exact",
		[CHANNEL] = "channel",
		[ACCOUNT_ID] = "accountId",
	};
	unsigned which = 0;

	while (which < PARAMETERS && strcmp(name, names[which]) != 0)
		which++;
	if (which == PARAMETERS || (ret->seen & 1u << which) != 0)
		return EXPECTED_REFUSAL;
	ret->seen |= 1u << which;
	if (which == SESSION_KEY)
		ret->names_key = strcmp(value, KEY) == 0 && (size_t)len == strlen(KEY);
	else if (which == LIMIT)
		ret->limit = number(value, len, PEEK_PAGE_MAX);
	else if (which == AFTER)
		ret->after = value[0] != '0' ? number(value, len, INT64_MAX) : -1;
	else
		return EXPECTED_ANYTHING; /* routing is for others */
	return ret->limit > 0 && ret->after >= 0 ? EXPECTED_EVENTS : EXPECTED_REFUSAL;
}

static enum expected
read_pair(const char *pair, size_t len, struct peek *ret)
{
	static char name[TARGET_BYTES], value[TARGET_BYTES];
	const char *equals = memchr(pair, '=', len);
	size_t name_len = equals != NULL ? (size_t)(equals - pair) : len,
	       skipped = name_len + (equals != NULL);
	int name_end = decode(pair, name_len, name),
	    value_end = decode(pair + skipped, len - skipped, value);

	if (name_end < 0 || value_end < 0 || !text_is_utf8(name, (size_t)name_end) ||
	    !text_is_utf8(value, (size_t)value_end))
		return EXPECTED_REFUSAL;
	return read_parameter(name, value, value_end, ret);
}

static enum expected
read_peek(struct str query, struct peek *ret)
{
	enum expected expected = EXPECTED_EVENTS;

	*ret = (struct peek){ .limit = PEEK_PAGE_DEFAULT };
	while (query.len > 0) {
		const char *end = memchr(query.s, '&', query.len);
		size_t len = end != NULL ? (size_t)(end - query.s) : query.len;
		enum expected one = len > 0 ? read_pair(query.s, len, ret) : EXPECTED_EVENTS;

		if (one == EXPECTED_REFUSAL)
			return one;
		expected = one == EXPECTED_ANYTHING ? one : expected;
		query =
		    (struct str){ query.s + len + (end != NULL), query.len - len - (end != NULL) };
	}
	if ((ret->seen & ADDRESSES) == 0)
		return EXPECTED_REFUSAL;
	return ret->names_key ? expected : EXPECTED_ANYTHING;
}

/* The first of the events that the server was filled with has id 2. */
static void
check_peek(struct str query, int status, struct str body)
{
	struct peek peek;
	enum expected expected = read_peek(query, &peek);
	size_t count = 0, found = 0;
	char id[32];

	if (expected == EXPECTED_ANYTHING)
		return;
	assert((status == 200) == (expected == EXPECTED_EVENTS));
	for (long long i = 2; expected == EXPECTED_EVENTS && i < 2 + EVENTS; i++) {
		int len = snprintf(id, sizeof(id), "\"id\":\"%lld\"", i);
		bool is_there = memmem(body.s, body.len, id, (size_t)len) != NULL;
		bool wanted = i > peek.after && (long long)count < peek.limit;

		assert(is_there == wanted);
		count += wanted;
		found += is_there;
	}
	assert(count == found);
}

/* --- the call --- */

static bool
may_stand_in_target(char c)
{
	return c > 0x20 && c < 0x7f && memchr("\"#<>\\^`", c, 7) == NULL;
}

/* Appends the query as it can be sent. False: it is too long, or has what every target is refused
 * for. */
static bool
write_query(char *to, size_t room, const uint8_t *data, size_t size, size_t *len)
{
	for (size_t i = 0; i < size; i++) {
		if (*len + 4 > room)
			return false;
		if (may_stand_in_target((char)data[i]))
			to[(*len)++] = (char)data[i];
		else
			*len += (size_t)sprintf(to + *len, "%%%02x", data[i]);
	}
	return memmem(to, *len, "%00", 3) == NULL;
}

/* A wait may have had no answer when its client hung up. */
static void
check_answer(struct str answer, const char *call, struct str query)
{
	const char *end = memmem(answer.s, answer.len, "\r\n\r\n", 4);
	struct json doc = { 0 };
	struct str body;
	int status;

	if (answer.len == 0 && strcmp(call, "GET /v1/wait") == 0)
		return;
	assert(end != NULL && sscanf(answer.s, "HTTP/1.1 %d ", &status) == 1);
	body = (struct str){ end + 4, answer.len - (size_t)(end + 4 - answer.s) };
	assert(status == 200 || status == 400 || status == 404 || status == 409);
	if (body.len > 0 && body.s[0] == '{')
		assert(json_scan(&doc, body.s, body.len, NULL) == 0);
	json_clear(&doc);
	if (strcmp(call, "GET /v1/events") == 0)
		check_peek(query, status, body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char request[TARGET_BYTES];
	size_t begun, len, which;
	struct str query;

	if (calls.engine == NULL)
		start();
	if (size < 1)
		return 0;
	which = data[0] % (sizeof(asked) / sizeof(asked[0]));
	len = begun = (size_t)snprintf(request, sizeof(request), "%s?", asked[which]);
	if (!write_query(request, sizeof(request) - 64, data + 1, size - 1, &len))
		return 0;
	query = (struct str){ request + begun, len - begun };
	len += (size_t)snprintf(request + len, sizeof(request) - len,
				" HTTP/1.1\r\nHost: localhost\r\n\r\n");
	check_answer(ask(request, len), asked[which], query);
	return 0;
}
