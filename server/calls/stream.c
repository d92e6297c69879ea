/*
 * stream.c - GET /v1/stream.
 *
 * The engine reports every queue in which something became deliverable. They are gathered, each
 * once, and handed out: each reader whose filter the queue passes gets a wake, at most one for each
 * queue, in one of two lists: at_once, and later for wakes that wait until the reader's coalesceMs
 * are over. All of a reader's wakes wait equally long, so later is in order of time. Several wakes
 * of one queue thus become one, with the latest source; the depth is looked up when the wake is
 * sent.
 *
 * A reader is written to only when the socket has taken everything before. A reader that does not
 * read therefore costs at most what was sent last and one wake for each queue. When that exceeds
 * --stream-buffer, the reader is dropped, and gets all of it anew when it connects again. The first
 * wakes of a new reader may exceed that limit. For a reader that does read, the oldest wakes are
 * sent before their time when they become too many.
 *
 * A reader of changes gets no wakes. It is told of every queue that a commit has changed, in the
 * same way and within the same limits: several changes of one queue become one, which tells how the
 * queue is when it is sent. What is told of the server is compared with what the reader was told
 * last.
 *
 * Many queues for many readers are a lot of work. So a turn of the loop hands out some, sends some
 * of what is due, and some of what new readers get at first; the rest is left to the next turn.
 * Readers take turns. Nothing is handed out while something that is due is left, so that what the
 * readers hold stays within their limits.
 */
#include "server/calls/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "queue/catalog/table.h"
#include "queue/clock.h"
#include "schema/session_key.h"
#include "server/calls/calls.h"
#include "server/calls/change.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/calls/woken.h"
#include "server/http/connection.h"
#include "server/http/exchange.h"
#include "server/http/reply.h"

#define COALESCE_MS_DEFAULT 250
#define OPEN_WORK 100 /* microseconds: several system calls */
#define COALESCE_MS_MAX 60000
#define RETRY "retry: 2000\n\n"
#define PING ": ping\n\n"

/* What a turn may do, in steps of about a quarter of a microsecond. */
#define HAND_OUT_STEPS 2000
#define TELL_STEPS 4000
#define LEVEL_STEPS 2500
#define WAKE_STEPS 8           /* to tell a wake, beside */
#define CHANGE_STEPS 16        /* to tell a change */
#define SEND_STEPS 100         /* to send what a reader is told */
#define PASS_READERS 8         /* whose filters are asked in one step */
#define LEVEL_BYTES (64 << 10) /* that a new reader is sent in a turn, and what one scan adds */

TAILQ_HEAD(reader_list, reader);

struct streams {
	struct calls *calls;
	struct reader_list readers; /* first the one that is next to be told */
	struct reader_list levels;  /* of them those that still get their first wakes */
	size_t change_readers;      /* of them, those of changes */
	struct woken_list woken;    /* to be handed out to readers of wakes, */
	struct woken_list changed;  /* and to those of changes */
	struct server_state server; /* while there are readers of changes */
	bool behind;                /* something that is due is left */
	/* of what was sent last; ids ascend, also over restarts, because they begin with the time
	 */
	uint64_t last_id;
};

/* A wake, or to a reader of changes a change, that was not sent yet. */
struct reader_wake {
	struct str key; /* behind the struct */
	struct keyed_hash hash;
	struct wake_cause cause;
	int64_t due_ms; /* on the server's clock */
	TAILQ_ENTRY(reader_wake) link;
};

TAILQ_HEAD(reader_wake_list, reader_wake);

/*
 * Invariants: 1. every wake is in the table and in one of the lists. 2. held_bytes is the memory of
 * all of them.
 */
struct reader {
	struct streams *streams;
	struct request *request;
	/* The filter: one queue key (only), or prefixes of queue keys. NULL: any. */
	struct str only, agent, prefix;
	int64_t coalesce_ms;
	struct table wakes;
	struct reader_wake_list at_once, later;
	size_t held_bytes, most_bytes; /* most: the limit on held and unsent bytes, now */
	struct table_scan level;       /* of what was deliverable when the stream began */
	bool in_levels, greeted;
	bool changes; /* it is told of changes, and of the server: */
	bool knows_server;
	struct server_state told;
	int64_t tell_server_ms; /* not before */
	int64_t ping_ms;
	TAILQ_ENTRY(reader) link, level_link;
};

/*
 * Ids are microseconds at the start: no server tells a million wakes a second, so the next start
 * begins higher.
 */
struct streams *
streams_new(struct calls *calls)
{
	struct streams *streams = mem_alloc(sizeof(*streams));

	streams->calls = calls;
	streams->last_id = (uint64_t)clock_now().wall_ms * 1000;
	TAILQ_INIT(&streams->readers);
	TAILQ_INIT(&streams->levels);
	woken_list_init(&streams->woken);
	woken_list_init(&streams->changed);
	return streams;
}

void
streams_free(struct streams *streams)
{
	assert(streams == NULL || TAILQ_EMPTY(&streams->readers));
	if (streams != NULL) {
		woken_list_clear(&streams->woken);
		woken_list_clear(&streams->changed);
	}
	free(streams);
}

/* --- notes --- */

static bool
passes(const struct reader *reader, struct str key)
{
	return caller_may_touch(&reader->request->caller, key) &&
	       (reader->only.s == NULL || str_eq(key, reader->only)) &&
	       str_starts(key, reader->agent) && str_starts(key, reader->prefix);
}

static bool
same_key(const void *item, const void *key)
{
	return str_eq(((const struct reader_wake *)item)->key, *(const struct str *)key);
}

static size_t
bytes_of(const struct reader_wake *wake)
{
	return sizeof(*wake) + wake->key.len;
}

static struct reader_wake_list *
list_of(struct reader *reader, const struct reader_wake *wake)
{
	return wake->cause.now ? &reader->at_once : &reader->later;
}

static struct reader_wake *
wake_new(struct reader *reader, struct str key, struct keyed_hash hash)
{
	struct reader_wake *wake = mem_alloc(sizeof(*wake) + key.len);

	*wake = (struct reader_wake){ .key = { memcpy(wake + 1, key.s, key.len), key.len },
				      .hash = hash };
	wake->due_ms = clock_coarse_ms() + reader->coalesce_ms;
	table_add(&reader->wakes, hash, wake);
	TAILQ_INSERT_TAIL(&reader->later, wake, link);
	reader->held_bytes += bytes_of(wake);
	return wake;
}

static void
wake_free(struct reader *reader, struct reader_wake *wake)
{
	reader->held_bytes -= bytes_of(wake);
	TAILQ_REMOVE(list_of(reader, wake), wake, link);
	table_remove(&reader->wakes, wake->hash, wake);
	free(wake);
}

static void
note(struct reader *reader, const struct woken *woken)
{
	struct reader_wake *wake = table_find(&reader->wakes, woken->hash, same_key, &woken->key);

	if (wake == NULL)
		wake = wake_new(reader, woken->key, woken->hash);
	bool now = wake->cause.now || woken->cause.now;
	if (now && !wake->cause.now) {
		TAILQ_REMOVE(&reader->later, wake, link);
		TAILQ_INSERT_TAIL(&reader->at_once, wake, link);
	}
	wake->cause = woken->cause;
	wake->cause.now = now;
}

void
streams_on_wake(void *arg, struct str queue_key, size_t deliverable, bool now, struct str source)
{
	struct streams *streams = arg;

	(void)deliverable;
	if (streams->calls->stats.streams > streams->change_readers)
		woken_list_add(&streams->woken, queue_key, now, source);
}

/* As long as there are readers of changes, for engine_on_change. */
static void
on_change(void *arg, struct str queue_key)
{
	struct streams *streams = arg;

	woken_list_add(&streams->changed, queue_key, false, STR_NULL);
}

/* Returns how many steps it takes. */
static size_t
hand_out_to_all(struct streams *streams, const struct woken *woken, bool changes)
{
	struct reader *reader;
	size_t steps = 1 + streams->calls->stats.streams / PASS_READERS;

	TAILQ_FOREACH(reader, &streams->readers, link)
	if (reader->changes == changes && passes(reader, woken->key)) {
		note(reader, woken);
		steps++;
	}
	return steps;
}

static void
hand_out(struct streams *streams, struct woken_list *list, bool changes)
{
	const struct woken *woken;

	for (size_t steps = 0;
	     steps < HAND_OUT_STEPS && (woken = woken_list_first(list)) != NULL;) {
		steps += hand_out_to_all(streams, woken, changes);
		woken_list_drop_first(list);
	}
}

size_t
streams_following(const struct streams *streams, struct str queue_key)
{
	const struct reader *reader;
	size_t count = 0;

	TAILQ_FOREACH(reader, &streams->readers, link)
	count += !reader->changes && passes(reader, queue_key);
	return count;
}

/* --- telling --- */

static void
begin_event(struct streams *streams, struct buf *out, const char *name)
{
	buf_addf(out, "id: %llu\nevent: %s\ndata: ", (unsigned long long)++streams->last_id, name);
}

static void
add_event(struct streams *streams, struct buf *out, struct str key, size_t depth, struct str source,
	  bool now, int64_t ts_ms)
{
	begin_event(streams, out, "wake");
	BUF_ADD_LITERAL(out, "{\"sessionKey\":");
	json_quote(out, key);
	buf_addf(out, ",\"depth\":%zu,\"source\":", depth);
	json_add_text(out, source);
	buf_addf(out, ",\"wake\":\"%s\",\"ts\":%lld}\n\n",
		 wake_name(now ? WAKE_NOW : WAKE_NEXT_HEARTBEAT), (long long)ts_ms);
	streams->calls->stats.wakes_sent++;
}

static void
tell_wake(struct streams *streams, const struct reader_wake *wake, struct buf *out)
{
	size_t depth = engine_deliverable(streams->calls->engine, wake->key);

	if (depth > 0)
		add_event(streams, out, wake->key, depth, wake_cause_source(&wake->cause),
			  wake->cause.now, wake->cause.ts_ms);
}

static void
tell_change(struct streams *streams, const struct reader_wake *wake, struct buf *out)
{
	begin_event(streams, out, "change");
	change_add(out, streams->calls->engine, wake->key);
	BUF_ADD_LITERAL(out, "\n\n");
	streams->calls->stats.changes_sent++;
}

/* Returns how many steps it takes. */
static size_t
tell(struct reader *reader, struct reader_wake *wake, struct buf *out)
{
	if (reader->changes)
		tell_change(reader->streams, wake, out);
	else
		tell_wake(reader->streams, wake, out);
	wake_free(reader, wake);
	return reader->changes ? CHANGE_STEPS : WAKE_STEPS;
}

/* Its token is for some agents. */
static bool
is_restricted(const struct reader *reader)
{
	return reader->request->caller.agents.s != NULL;
}

/* When the reader is to be told of the server; INT64_MAX: it knows how it is. */
static int64_t
server_due_ms(const struct reader *reader)
{
	bool knows =
	    reader->knows_server &&
	    server_state_same(&reader->told, &reader->streams->server, is_restricted(reader));

	return !reader->changes || knows ? INT64_MAX : reader->tell_server_ms;
}

static void
tell_server(struct reader *reader, int64_t now_ms, struct buf *out)
{
	struct streams *streams = reader->streams;

	if (server_due_ms(reader) > now_ms)
		return;
	reader->knows_server = true;
	reader->told = streams->server;
	reader->tell_server_ms = now_ms + reader->coalesce_ms;
	begin_event(streams, out, "server");
	server_state_add(out, &reader->told, is_restricted(reader));
	BUF_ADD_LITERAL(out, "\n\n");
}

/* Wakes are written in the buffer for answers: no answer is being written meanwhile. */
static struct buf *
begin(struct reader *reader)
{
	struct buf *out = &reader->streams->calls->http.out;

	out->len = 0;
	if (!reader->greeted)
		BUF_ADD_LITERAL(out, RETRY);
	reader->greeted = true;
	return out;
}

static void
send_made(struct reader *reader)
{
	const struct buf *out = &reader->streams->calls->http.out;

	if (out->len > 0)
		connection_send(reader->request->connection, out->data, out->len);
}

static void
take_steps(size_t *left, size_t steps)
{
	*left -= steps < *left ? steps : *left;
}

/* The next wake to be sent by now; NULL: there is none. */
static struct reader_wake *
next_due(const struct reader *reader, int64_t now_ms)
{
	struct reader_wake *wake = TAILQ_FIRST(&reader->at_once);

	if (wake != NULL)
		return wake;
	wake = TAILQ_FIRST(&reader->later);
	return wake != NULL && (wake->due_ms <= now_ms || reader->held_bytes > reader->most_bytes)
		   ? wake
		   : NULL;
}

/* Takes the steps off *left. */
static void
tell_due(struct reader *reader, int64_t now_ms, size_t *left)
{
	struct buf *out = begin(reader);
	struct reader_wake *wake;

	tell_server(reader, now_ms, out);
	while (*left > SEND_STEPS && (wake = next_due(reader, now_ms)) != NULL)
		take_steps(left, tell(reader, wake, out));
	if (reader->ping_ms <= now_ms) {
		BUF_ADD_LITERAL(out, PING);
		reader->ping_ms = now_ms + reader->streams->calls->limits.stream_ping_ms;
	}
	reader->streams->behind = reader->streams->behind || next_due(reader, now_ms) != NULL;
	if (out->len > 0)
		take_steps(left, SEND_STEPS);
	send_made(reader);
}

static void
flush(struct reader *reader, int64_t now_ms, size_t *left)
{
	size_t unsent = connection_unsent(reader->request->connection);

	if (unsent == 0)
		tell_due(reader, now_ms, left);
	else if (unsent + reader->held_bytes > reader->most_bytes) {
		reader->streams->calls->stats.streams_dropped++;
		connection_close(reader->request->connection);
	}
}

/* Each reader once, until the steps are used up; the next turn begins with those that are left. */
static void
flush_some(struct streams *streams)
{
	size_t left = TELL_STEPS;
	int64_t now_ms = clock_coarse_ms();

	streams->behind = false;
	for (uint64_t i = streams->calls->stats.streams; i > 0; i--) {
		struct reader *reader = TAILQ_FIRST(&streams->readers);

		if (left <= SEND_STEPS) {
			streams->behind = true;
			return;
		}
		TAILQ_REMOVE(&streams->readers, reader, link);
		TAILQ_INSERT_TAIL(&streams->readers, reader, link);
		flush(reader, now_ms, &left);
	}
}

/* --- what a new reader gets --- */

static void
add_level(void *arg, struct str key, size_t deliverable, bool now, struct str source)
{
	struct reader *reader = arg;

	if (passes(reader, key))
		add_event(reader->streams, &reader->streams->calls->http.out, key, deliverable,
			  source, now, clock_now().wall_ms);
}

static void
leave_levels(struct reader *reader)
{
	if (reader->in_levels)
		TAILQ_REMOVE(&reader->streams->levels, reader, level_link);
	reader->in_levels = false;
}

/* Adds the next of its first wakes; returns the steps. */
static size_t
scan_level(struct reader *reader)
{
	struct streams *streams = reader->streams;
	const struct engine *engine = streams->calls->engine;
	uint64_t sent = streams->calls->stats.wakes_sent;
	size_t looks = 1, deliverable;

	if (reader->only.s == NULL)
		looks = engine_scan_deliverable(engine, &reader->level, add_level, reader);
	else {
		deliverable = engine_deliverable(engine, reader->only);
		if (deliverable > 0)
			add_level(reader, reader->only, deliverable,
				  engine_has_urgent(engine, reader->only), STR_NULL);
		reader->level.over = true;
	}
	return 1 + looks + WAKE_STEPS * (streams->calls->stats.wakes_sent - sent);
}

/*
 * Tells a new reader of some of the queues that have something deliverable. Nothing is missed:
 * whatever becomes deliverable meanwhile is reported by the engine. *left: as in tell_due.
 */
static void
tell_level(struct reader *reader, size_t *left)
{
	struct buf *out = begin(reader);

	take_steps(left, SEND_STEPS);
	while (!reader->level.over && out->len < LEVEL_BYTES && (*left) > 0) {
		take_steps(left, scan_level(reader));
	}
	reader->most_bytes = (size_t)reader->streams->calls->limits.stream_buffer_bytes + out->len;
	leave_levels(reader);
	if (!reader->level.over) {
		reader->in_levels = true;
		TAILQ_INSERT_TAIL(&reader->streams->levels, reader, level_link);
	}
	send_made(reader);
}

/* Whether more could be told now. */
static bool
tell_levels(struct streams *streams)
{
	struct reader *reader, *next, *last = TAILQ_LAST(&streams->levels, reader_list);
	size_t left = LEVEL_STEPS;

	for (reader = TAILQ_FIRST(&streams->levels); reader != NULL; reader = next) {
		bool ends = reader == last;

		next = TAILQ_NEXT(reader, level_link);
		if (connection_unsent(reader->request->connection) == 0) {
			if (left == 0)
				return true;
			tell_level(reader, &left);
		}
		if (ends)
			break;
	}
	TAILQ_FOREACH(reader, &streams->levels, level_link)
	if (connection_unsent(reader->request->connection) == 0)
		return true;
	return false;
}

static void
look_at_server(struct streams *streams)
{
	if (streams->change_readers > 0)
		streams->server = server_state(streams->calls);
}

bool
streams_flush(struct streams *streams)
{
	if (TAILQ_EMPTY(&streams->readers)) {
		woken_list_clear(&streams->woken);
		return false;
	}
	look_at_server(streams);
	if (!streams->behind) {
		hand_out(streams, &streams->woken, false);
		hand_out(streams, &streams->changed, true);
	}
	flush_some(streams);
	bool more = tell_levels(streams);
	streams->calls->stats.wakes_gathered = streams->woken.by_key.count;
	streams->calls->stats.changes_gathered = streams->changed.by_key.count;
	return more || streams->behind || woken_list_first(&streams->woken) != NULL ||
	       woken_list_first(&streams->changed) != NULL;
}

/* A reader with something unsent has no time of its own: libevent reports when it has read. */
static int64_t
next_ms(const struct reader *reader)
{
	const struct reader_wake *wake = TAILQ_FIRST(&reader->later);
	int64_t next = server_due_ms(reader);

	if (connection_unsent(reader->request->connection) > 0)
		return INT64_MAX;
	if (wake != NULL && wake->due_ms < next)
		next = wake->due_ms;
	return reader->ping_ms < next ? reader->ping_ms : next;
}

int64_t
streams_next_ms(struct streams *streams)
{
	const struct reader *reader;
	int64_t next = INT64_MAX;

	look_at_server(streams); /* chores come after streams_flush */
	TAILQ_FOREACH(reader, &streams->readers, link)
	if (next_ms(reader) < next)
		next = next_ms(reader);
	return next;
}

/* --- beginning and end --- */

/* Without readers of changes nothing is gathered for them. */
static void
count_change_readers(struct streams *streams, int by)
{
	streams->change_readers += (size_t)by;
	bool any = streams->change_readers > 0;
	engine_on_change(streams->calls->engine, any ? on_change : NULL, streams);
	if (!any)
		woken_list_clear(&streams->changed);
}

void
stream_drained(struct request *request)
{
	struct reader *reader = request->state;

	reader->most_bytes = (size_t)reader->streams->calls->limits.stream_buffer_bytes;
}

void
stream_free(struct request *request)
{
	struct reader *reader = request->state;
	struct reader_wake *wake;

	while ((wake = TAILQ_FIRST(&reader->at_once)) != NULL ||
	       (wake = TAILQ_FIRST(&reader->later)) != NULL)
		wake_free(reader, wake);
	table_clear(&reader->wakes);
	leave_levels(reader);
	TAILQ_REMOVE(&reader->streams->readers, reader, link);
	reader->streams->calls->stats.streams--;
	if (reader->changes)
		count_change_readers(reader->streams, -1);
	free(reader);
}

static void
end(struct streams *streams, bool all)
{
	struct reader *reader, *next;

	for (reader = TAILQ_FIRST(&streams->readers); reader != NULL; reader = next) {
		next = TAILQ_NEXT(reader, link);
		if (all || reader->only.s != NULL)
			exchange_end_stream(reader->request);
	}
}

void
streams_end(struct streams *streams)
{
	end(streams, true);
}

void
streams_end_routed(struct streams *streams)
{
	end(streams, false);
}

/* --- the call --- */

struct stream_query {
	struct address address;
	struct str prefix;
	bool changes;
	int64_t coalesce_ms;
};

static const struct field parameters[] = {
	FIELD("sessionKey", TEXT, struct stream_query, address.session_key),
	FIELD("agentId", TEXT, struct stream_query, address.agent_id),
	FIELD("channel", TEXT, struct stream_query, address.channel),
	FIELD("accountId", TEXT, struct stream_query, address.account_id),
	FIELD("prefix", TEXT, struct stream_query, prefix),
	FIELD("changes", BOOL, struct stream_query, changes),
	FIELD_RANGE("coalesceMs", INT64, struct stream_query, coalesce_ms, 0, COALESCE_MS_MAX),
};

/* A session key means its queue; an agent alone all of its queues. Text in the request's arena. */
static int
make_filter(struct request *request, const struct stream_query *query, struct reader *reader,
	    struct error *err)
{
	struct decision decision;

	reader->prefix = arena_dup(&request->arena, query->prefix);
	if (query->address.session_key.s == NULL) {
		if (query->address.agent_id.s != NULL)
			reader->agent = agent_key_prefix(&request->arena, query->address.agent_id);
		return address_check_optional(&query->address, err);
	}
	if (engine_route(calls_of(request)->engine, &query->address, &request->arena, &decision,
			 err) != 0)
		return -1;
	reader->only = arena_dup(&request->arena, decision.queue_key);
	return caller_check(&request->caller, reader->only, err);
}

static int
check_room(struct calls *calls, struct error *err)
{
	if (calls->stats.streams < (uint64_t)calls->limits.streams_max)
		return 0;
	calls->stats.streams_refused++;
	error_set(err, ERROR_QUEUE_FULL, "too many streams; --max-streams is %lld",
		  (long long)calls->limits.streams_max);
	err->lasting = calls->limits.streams_max == 0;
	return -1;
}

static void
open_stream(struct request *request, struct reader *reader)
{
	struct calls *calls = calls_of(request);

	reader->streams = calls->streams;
	reader->request = request;
	reader->most_bytes = (size_t)calls->limits.stream_buffer_bytes;
	reader->ping_ms = clock_coarse_ms() + calls->limits.stream_ping_ms;
	TAILQ_INIT(&reader->at_once);
	TAILQ_INIT(&reader->later);
	TAILQ_INSERT_TAIL(&calls->streams->readers, reader, link);
	if (reader->changes) /* it is told of what changes from now on */
		count_change_readers(calls->streams, 1);
	else
		TAILQ_INSERT_TAIL(&calls->streams->levels, reader, level_link);
	reader->in_levels = !reader->changes;
	calls->stats.streams++;
	calls->stats.streams_opened++;
	request->state = reader;
	calls->http.turn_work += OPEN_WORK;
	reply_stream(request, "text/event-stream", (size_t)calls->limits.stream_buffer_bytes);
}

void
stream_get(struct request *request)
{
	struct stream_query query = { .coalesce_ms = COALESCE_MS_DEFAULT };
	struct reader *reader;
	struct error err;

	if (query_read(request, parameters, sizeof(parameters) / sizeof(parameters[0]), &query,
		       NULL) != 0)
		return;
	reader = mem_alloc(sizeof(*reader));
	reader->changes = query.changes;
	reader->coalesce_ms = query.coalesce_ms;
	if (make_filter(request, &query, reader, &err) != 0 ||
	    check_room(calls_of(request), &err) != 0) {
		free(reader);
		problem_send(request, &err);
	} else if (request->method == HTTP_HEAD) {
		free(reader);
		reply_begin(request);
		reply_send(request, &(struct reply){ .status = 200, .type = "text/event-stream" });
	} else
		open_stream(request, reader);
}
