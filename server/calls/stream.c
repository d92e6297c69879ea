/*
 * stream.c - GET /v1/stream.
 *
 * The engine tells of every queue in which something became deliverable. For each reader whose filter the queue passes a
 * wake is noted, at most one a queue, in one of two lists: those to be told at once, and those to be told when the
 * reader's coalesceMs are over, which are in order of time because that is the same for all of a reader's wakes. Several
 * wakes of one queue thus become one, with the latest source; the depth is looked up when it is told.
 *
 * A reader is written to only when it has taken everything before. One that does not read therefore holds no more than what
 * it was told last and one note for each queue; when that is more than --stream-buffer it is dropped, and hears of all of it
 * when it comes back. What it is told when it connects may be more than that. One that does read hears of the oldest before their
 * time, when there are so many.
 */
#include "server/calls/stream.h"

#include <stdlib.h>
#include <time.h>

#include "queue/catalog/table.h"
#include "schema/session_key.h"
#include "server/calls/calls.h"
#include "server/http/connection.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/http/reply.h"
#include "server/server.h"

#define COALESCE_MS_DEFAULT 250
#define COALESCE_MS_MAX 60000
#define RETRY "retry: 2000\n\n"
#define PING ": ping\n\n"

/* One queue that a reader has to hear of. */
struct wake {
	struct sevq_str key; /* behind the struct */
	uint64_t hash;
	char source[SEVQ_SOURCE_BYTES_MAX];
	size_t source_len;
	bool has_source, now;
	int64_t ts_ms, due_ms; /* due: on the server's clock */
	TAILQ_ENTRY(wake) link;
};

TAILQ_HEAD(wake_list, wake);

/* Invariants: 1. every wake is in the table and in one of the lists. 2. held_bytes is the memory of all of them. */
struct sevq_reader {
	struct sevq_streams *streams;
	struct sevq_request *request;
	struct sevq_str only, agent, prefix; /* the filter: a queue key, and what queue keys start with; NULL: all */
	int64_t coalesce_ms;
	struct sevq_table wakes;
	struct wake_list at_once, later;
	size_t held_bytes, most_bytes; /* most: that it may hold up now */
	int64_t ping_ms;
	TAILQ_ENTRY(sevq_reader) link;
};

static int64_t
wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Ids are microseconds at the start: no server tells a million wakes a second, so the next start begins higher. */
void
sevq_streams_init(struct sevq_streams *streams, struct sevq_server *server)
{
	*streams = (struct sevq_streams){ .server = server, .last_id = (uint64_t)wall_ms() * 1000 };
	TAILQ_INIT(&streams->readers);
}

/* Notes. */

static bool
passes(const struct sevq_reader *reader, struct sevq_str key)
{
	return (reader->only.s == NULL || sevq_str_eq(key, reader->only)) && sevq_str_starts(key, reader->agent) &&
	       sevq_str_starts(key, reader->prefix);
}

static bool
same_key(const void *item, const void *key)
{
	return sevq_str_eq(((const struct wake *)item)->key, *(const struct sevq_str *)key);
}

static size_t
bytes_of(const struct wake *wake)
{
	return sizeof *wake + wake->key.len;
}

static struct wake_list *
list_of(struct sevq_reader *reader, const struct wake *wake)
{
	return wake->now ? &reader->at_once : &reader->later;
}

static struct wake *
wake_new(struct sevq_reader *reader, struct sevq_str key, uint64_t hash)
{
	struct wake *wake = sevq_alloc(sizeof *wake + key.len);

	*wake = (struct wake){ .key = { memcpy(wake + 1, key.s, key.len), key.len }, .hash = hash };
	wake->due_ms = sevq_now_ms() + reader->coalesce_ms;
	sevq_table_add(&reader->wakes, hash, wake);
	TAILQ_INSERT_TAIL(&reader->later, wake, link);
	reader->held_bytes += bytes_of(wake);
	return wake;
}

static void
wake_free(struct sevq_reader *reader, struct wake *wake)
{
	reader->held_bytes -= bytes_of(wake);
	TAILQ_REMOVE(list_of(reader, wake), wake, link);
	sevq_table_remove(&reader->wakes, wake->hash, wake);
	free(wake);
}

static void
note(struct sevq_reader *reader, struct sevq_str key, bool now, struct sevq_str source)
{
	uint64_t hash = sevq_text_hash(key);
	struct wake *wake = sevq_table_find(&reader->wakes, hash, same_key, &key);

	if (wake == NULL)
		wake = wake_new(reader, key, hash);
	if (now && !wake->now) {
		TAILQ_REMOVE(&reader->later, wake, link);
		TAILQ_INSERT_TAIL(&reader->at_once, wake, link);
		wake->now = true;
	}
	wake->ts_ms = wall_ms();
	wake->has_source = source.s != NULL;
	wake->source_len = source.len < sizeof wake->source ? source.len : sizeof wake->source;
	if (wake->source_len > 0)
		memcpy(wake->source, source.s, wake->source_len);
}

void
sevq_streams_woken(void *arg, struct sevq_str queue_key, size_t deliverable, bool now, struct sevq_str source)
{
	struct sevq_streams *streams = arg;
	struct sevq_reader *reader;

	(void)deliverable;
	TAILQ_FOREACH(reader, &streams->readers, link)
	if (passes(reader, queue_key))
		note(reader, queue_key, now, source);
}

/* Telling. */

static void
add_event(struct sevq_streams *streams, struct sevq_buf *out, struct sevq_str key, size_t depth, struct sevq_str source, bool now,
	  int64_t ts_ms)
{
	sevq_buf_addf(out, "id: %llu\nevent: wake\ndata: {\"sessionKey\":", (unsigned long long)++streams->last_id);
	sevq_json_quote(out, key);
	sevq_buf_addf(out, ",\"depth\":%zu,\"source\":", depth);
	sevq_json_add_text(out, source);
	sevq_buf_addf(out, ",\"wake\":\"%s\",\"ts\":%lld}\n\n", sevq_wake_name(now ? SEVQ_WAKE_NOW : SEVQ_WAKE_NEXT_HEARTBEAT),
		      (long long)ts_ms);
	streams->server->stats.wakes_sent++;
}

static void
tell(struct sevq_reader *reader, struct wake *wake, struct sevq_buf *out)
{
	size_t depth = sevq_engine_deliverable(reader->streams->server->engine, wake->key);
	struct sevq_str source = wake->has_source ? (struct sevq_str){ wake->source, wake->source_len } : SEVQ_STR_NULL;

	if (depth > 0)
		add_event(reader->streams, out, wake->key, depth, source, wake->now, wake->ts_ms);
	wake_free(reader, wake);
}

/* What is sent to a reader is made in the buffer for answers, of which there is none under way. */
static struct sevq_buf *
begin(struct sevq_reader *reader)
{
	reader->streams->server->out.len = 0;
	return &reader->streams->server->out;
}

static void
send_made(struct sevq_reader *reader)
{
	const struct sevq_buf *out = &reader->streams->server->out;

	if (out->len > 0)
		sevq_connection_send(reader->request->connection, out->data, out->len);
}

static void
tell_due(struct sevq_reader *reader, int64_t now_ms)
{
	struct sevq_buf *out = begin(reader);
	struct wake *wake;

	while ((wake = TAILQ_FIRST(&reader->at_once)) != NULL)
		tell(reader, wake, out);
	while ((wake = TAILQ_FIRST(&reader->later)) != NULL && (wake->due_ms <= now_ms || reader->held_bytes > reader->most_bytes))
		tell(reader, wake, out);
	if (reader->ping_ms <= now_ms) {
		SEVQ_ADD(out, PING);
		reader->ping_ms = now_ms + reader->streams->server->options->stream_ping_ms;
	}
	send_made(reader);
}

static void
flush(struct sevq_reader *reader, int64_t now_ms)
{
	size_t unsent = sevq_connection_unsent(reader->request->connection);

	if (unsent == 0)
		tell_due(reader, now_ms);
	else if (unsent + reader->held_bytes > reader->most_bytes) {
		reader->streams->server->stats.streams_dropped++;
		sevq_connection_drop(reader->request->connection);
	}
}

void
sevq_streams_flush(struct sevq_streams *streams)
{
	struct sevq_reader *reader, *next;
	int64_t now_ms = TAILQ_EMPTY(&streams->readers) ? 0 : sevq_now_ms();

	for (reader = TAILQ_FIRST(&streams->readers); reader != NULL; reader = next) {
		next = TAILQ_NEXT(reader, link);
		flush(reader, now_ms);
	}
}

/* A reader that has something unsent is not waited for: it makes itself heard when it has read. */
static int64_t
next_ms(const struct sevq_reader *reader)
{
	const struct wake *wake = TAILQ_FIRST(&reader->later);

	if (sevq_connection_unsent(reader->request->connection) > 0)
		return INT64_MAX;
	return wake != NULL && wake->due_ms < reader->ping_ms ? wake->due_ms : reader->ping_ms;
}

int64_t
sevq_streams_next_ms(const struct sevq_streams *streams)
{
	const struct sevq_reader *reader;
	int64_t next = INT64_MAX;

	TAILQ_FOREACH(reader, &streams->readers, link)
	if (next_ms(reader) < next)
		next = next_ms(reader);
	return next;
}

/* Beginning and end. */

static void
add_level(void *arg, struct sevq_str key, size_t deliverable, bool now, struct sevq_str source)
{
	struct sevq_reader *reader = arg;

	if (passes(reader, key))
		add_event(reader->streams, &reader->streams->server->out, key, deliverable, source, now, wall_ms());
}

/* Between the engine's turns, so nothing that is deliverable can be missed: it is told here or noted later. */
void
sevq_reader_start(struct sevq_reader *reader)
{
	struct sevq_buf *out = begin(reader);

	SEVQ_ADD(out, RETRY);
	sevq_engine_each_deliverable(reader->streams->server->engine, add_level, reader);
	reader->most_bytes += out->len;
	send_made(reader);
}

void
sevq_reader_caught_up(struct sevq_reader *reader)
{
	reader->most_bytes = (size_t)reader->streams->server->options->stream_buffer;
}

void
sevq_reader_free(struct sevq_reader *reader)
{
	struct wake *wake;

	if (reader == NULL)
		return;
	while ((wake = TAILQ_FIRST(&reader->at_once)) != NULL || (wake = TAILQ_FIRST(&reader->later)) != NULL)
		wake_free(reader, wake);
	sevq_table_clear(&reader->wakes);
	TAILQ_REMOVE(&reader->streams->readers, reader, link);
	reader->streams->server->stats.streams--;
	free(reader);
}

static void
end(struct sevq_streams *streams, bool all)
{
	struct sevq_reader *reader, *next;

	for (reader = TAILQ_FIRST(&streams->readers); reader != NULL; reader = next) {
		next = TAILQ_NEXT(reader, link);
		if (all || reader->only.s != NULL)
			sevq_connection_end(reader->request->connection);
	}
}

void
sevq_streams_end(struct sevq_streams *streams)
{
	end(streams, true);
}

void
sevq_streams_end_routed(struct sevq_streams *streams)
{
	end(streams, false);
}

/* The call. */

struct wanted {
	struct sevq_address address;
	struct sevq_str prefix;
	int64_t coalesce_ms;
};

static const struct sevq_field parameters[] = {
	SEVQ_FIELD("sessionKey", TEXT, struct wanted, address.session_key),
	SEVQ_FIELD("agentId", TEXT, struct wanted, address.agent_id),
	SEVQ_FIELD("channel", TEXT, struct wanted, address.channel),
	SEVQ_FIELD("accountId", TEXT, struct wanted, address.account_id),
	SEVQ_FIELD("prefix", TEXT, struct wanted, prefix),
	SEVQ_FIELD_RANGE("coalesceMs", INT64, struct wanted, coalesce_ms, 0, COALESCE_MS_MAX),
};

/* A session key means its queue; an agent alone all of its queues. Text in the request's arena. */
static int
make_filter(struct sevq_request *request, const struct wanted *wanted, struct sevq_reader *reader, struct sevq_error *err)
{
	struct sevq_decision decision;

	reader->prefix = sevq_arena_dup(&request->arena, wanted->prefix);
	if (wanted->address.session_key.s == NULL) {
		if (wanted->address.agent_id.s != NULL)
			reader->agent = sevq_agent_key_prefix(&request->arena, wanted->address.agent_id);
		return sevq_address_check(&wanted->address, err);
	}
	if (sevq_engine_route(request->server->engine, &wanted->address, &request->arena, &decision, err) != 0)
		return -1;
	reader->only = sevq_arena_dup(&request->arena, decision.queue_key);
	return 0;
}

static int
check_room(struct sevq_server *server, struct sevq_error *err)
{
	if (server->stats.streams < (uint64_t)server->options->max_streams)
		return 0;
	server->stats.streams_refused++;
	return sevq_fail(err, SEVQ_QUEUE_FULL, "too many streams; the limit is %lld", (long long)server->options->max_streams);
}

static void
open_stream(struct sevq_request *request, struct sevq_reader *reader)
{
	struct sevq_server *server = request->server;

	reader->streams = &server->streams;
	reader->request = request;
	reader->most_bytes = (size_t)server->options->stream_buffer;
	reader->ping_ms = sevq_now_ms() + server->options->stream_ping_ms;
	TAILQ_INIT(&reader->at_once);
	TAILQ_INIT(&reader->later);
	TAILQ_INSERT_TAIL(&server->streams.readers, reader, link);
	server->stats.streams++;
	server->stats.streams_opened++;
	request->reader = reader;
	sevq_reply_stream(request, "text/event-stream");
}

void
sevq_stream_get(struct sevq_request *request)
{
	struct wanted wanted = { .coalesce_ms = COALESCE_MS_DEFAULT };
	struct sevq_reader *reader;
	struct sevq_error err;

	if (sevq_query_read(request, parameters, sizeof parameters / sizeof parameters[0], &wanted, NULL) != 0)
		return;
	reader = sevq_alloc(sizeof *reader);
	reader->coalesce_ms = wanted.coalesce_ms;
	if (make_filter(request, &wanted, reader, &err) != 0 || check_room(request->server, &err) != 0) {
		free(reader);
		sevq_problem_send(request, &err);
	} else if (request->method == HTTP_HEAD) {
		free(reader);
		sevq_reply_begin(request);
		sevq_reply_send(request, &(struct sevq_reply){ .status = 200, .type = "text/event-stream" });
	} else
		open_stream(request, reader);
}
