/*
 * metrics.c - every number once, in a table: its place in the JSON, its name for Prometheus, and
 * what it means.
 */
#include "server/calls/metrics.h"

#include <assert.h>

#include "queue/clock.h"
#include "server/calls/calls.h"
#include "server/calls/field.h"
#include "server/calls/json.h"
#include "server/calls/submit.h"
#include "server/http/reply.h"

struct row {
	/* in the JSON; group NULL: at the top. Rows of one group stand together. */
	const char *group, *name;
	const char *metric;
	bool counter;
	size_t offset;
	const char *help;
};

#define ENGINE(member) offsetof(struct metrics, engine.member)
#define OUTCOME(kind) offsetof(struct metrics, engine.outcomes[OUTCOME_##kind])
#define CENSUS(member) offsetof(struct metrics, census.member)
#define HTTP(member) offsetof(struct metrics, http.member)
#define CALLS(member) offsetof(struct metrics, calls.member)

/* clang-format off */
static const struct row rows[] = {
	{ NULL, "uptimeMs", "sevq_uptime_milliseconds", false, offsetof(struct metrics, uptime_ms), "Time since start." },
	{ NULL, "pending", "sevq_pending_events", false, ENGINE(pending), "Events pending now." },
	{ NULL, "sessions", "sevq_sessions", false, ENGINE(sessions), "Sessions with something pending." },
	{ NULL, "oldestTs", "sevq_oldest_event_timestamp_milliseconds", false, CENSUS(oldest.ts_ms), "Arrival of the oldest pending event; 0 when there is none." },
	{ NULL, "oldestAgeMs", "sevq_oldest_event_age_milliseconds", false, CENSUS(oldest_age_ms), "Age of the oldest pending event; 0 when there is none." },

	{ NULL, "strandedSessions", "sevq_stranded_sessions", false, ENGINE(stranded_sessions), "Sessions whose key leads elsewhere under the policy in force." },
	{ NULL, "strandedEvents", "sevq_stranded_events", false, ENGINE(stranded_events), "Events pending in such sessions." },
	{ NULL, "leased", "sevq_leased_events", false, ENGINE(leased_now), "Pending events that a consumer holds." },
	{ NULL, "delayed", "sevq_delayed_events", false, ENGINE(delayed_now), "Pending events whose time has not come." },
	{ NULL, "leases", "sevq_leases", false, ENGINE(leases), "Leases now." },
	{ NULL, "waiters", "sevq_waiters", false, ENGINE(waiters), "Calls that wait for something deliverable." },

	{ NULL, "lastBackup", "sevq_last_backup_timestamp_seconds", false, CALLS(last_backup_s), "When the newest backup in --backup-dir was made; 0 when there is none." },

	{ "events", "enqueued", "sevq_events_enqueued_total", true, ENGINE(enqueued), "Events stored." },
	{ "events", "duplicates", "sevq_events_duplicate_total", true, ENGINE(duplicates), "Events that were already queued." },
	{ "events", "replaced", "sevq_events_replaced_total", true, OUTCOME(REPLACED), "Events removed by a replacement." },
	{ "events", "drained", "sevq_events_drained_total", true, OUTCOME(DRAINED), "Events drained." },
	{ "events", "consumed", "sevq_events_consumed_total", true, OUTCOME(CONSUMED), "Events consumed by id." },
	{ "events", "withdrawn", "sevq_events_withdrawn_total", true, OUTCOME(WITHDRAWN), "Events taken back by their producers." },
	{ "events", "purged", "sevq_events_purged_total", true, OUTCOME(PURGED), "Events purged." },
	{ "events", "evicted", "sevq_events_evicted_total", true, OUTCOME(EVICTED), "Events that gave way to newer ones at a session's limit." },
	{ "events", "leased", "sevq_events_leased_total", true, OUTCOME(LEASED), "Events taken under a lease." },
	{ "events", "extended", "sevq_events_extended_total", true, OUTCOME(EXTENDED), "Leased events kept longer." },
	{ "events", "acked", "sevq_events_acked_total", true, OUTCOME(ACKED), "Leased events finished." },
	{ "events", "nacked", "sevq_events_nacked_total", true, OUTCOME(NACKED), "Leased events given back, counting an attempt." },
	{ "events", "returned", "sevq_events_returned_total", true, OUTCOME(RETURNED), "Leased events given back, not counting one." },
	{ "events", "lapsed", "sevq_events_lapsed_total", true, OUTCOME(LAPSED), "Events whose lease ran out." },
	{ "events", "expired", "sevq_events_expired_total", true, OUTCOME(EXPIRED), "Events past their time to live." },
	{ "events", "dead", "sevq_events_dead_total", true, OUTCOME(DEAD), "Events that became dead letters after their last attempt." },
	{ "events", "moved", "sevq_events_moved_total", true, OUTCOME(MOVED), "Events of stranded queues, moved to where their keys lead." },
	{ "events", "requeued", "sevq_events_requeued_total", true, OUTCOME(REQUEUED), "Dead letters enqueued anew." },

	{ "rejected", "sessionFull", "sevq_rejected_session_full_total", true, ENGINE(rejected_session_full), "Events refused at --max-pending." },
	{ "rejected", "sessionsFull", "sevq_rejected_sessions_full_total", true, ENGINE(rejected_sessions_full), "Events refused at --max-sessions." },
	{ "rejected", "pendingFull", "sevq_rejected_pending_full_total", true, ENGINE(rejected_pending_full), "Events refused at --max-pending-total." },
	{ "rejected", "answers", "sevq_rejected_answers_total", true, ENGINE(rejected_answers), "Calls refused because the answers of one moment were too large together." },
	{ "rejected", "storageFull", "sevq_rejected_storage_full_total", true, ENGINE(rejected_storage_full), "Events refused because the disk or database is full." },

	{ "engine", "ops", "sevq_ops_total", true, ENGINE(ops), "Pieces of work, reads included." },
	{ "engine", "walkedEntries", "sevq_walked_entries_total", true, ENGINE(walked), "Pending events that pieces of work looked at one by one." },
	{ "engine", "commits", "sevq_commits_total", true, ENGINE(commits), "Transactions made durable." },
	{ "engine", "commitFailures", "sevq_commit_failures_total", true, ENGINE(commit_failures), "Transactions that failed and changed nothing." },
	{ "engine", "commitUs", "sevq_commit_microseconds_total", true, ENGINE(commit_us_total), "Time from the beginning of commits until they were durable." },
	{ "engine", "batchOpsMax", "sevq_batch_ops_max", false, ENGINE(batch_ops_max), "The most pieces of work that shared one turn." },
	{ "engine", "clockJumps", "sevq_clock_jumps_total", true, ENGINE(clock_jumps), "Times that the wall clock jumped by more than a minute, or was wrong by as much at the start." },
	{ "engine", "catalogBytes", "sevq_catalog_bytes", false, ENGINE(catalog_bytes), "Memory of the catalog." },
	{ "engine", "recentBytes", "sevq_recent_bytes", false, ENGINE(recent_bytes), "Memory of the newest events." },
	{ "engine", "recentHits", "sevq_recent_hits_total", true, ENGINE(recent_hits), "Events for answers that were still in memory." },
	{ "engine", "recentMisses", "sevq_recent_misses_total", true, ENGINE(recent_misses), "Events for answers that were read from the database." },

	{ "loop", "turns", "sevq_turns_total", true, CALLS(turns), "Turns of the loop." },
	{ "loop", "longTurns", "sevq_long_turns_total", true, CALLS(long_turns), "Turns of the loop that used more than 10 ms of processor time." },
	{ "loop", "turnUsMax", "sevq_turn_microseconds_max", false, CALLS(turn_us_max), "The most processor time that one turn of the loop has used, since the start or the last reload." },

	{ "store", "databaseBytes", "sevq_database_bytes", false, ENGINE(store.database_bytes), "Size of the database file." },
	{ "store", "walBytes", "sevq_wal_bytes", false, ENGINE(store.wal_bytes), "Bytes of the write-ahead log that are not in the database yet." },
	{ "store", "events", "sevq_stored_events", false, ENGINE(store.events), "Events on disk, settled ones included." },
	{ "store", "outcomes", "sevq_stored_outcomes", false, ENGINE(store.outcomes), "Outcomes on disk." },
	{ "store", "checkpoints", "sevq_checkpoints_total", true, ENGINE(store.checkpoints), "Checkpoints." },
	{ "store", "swept", "sevq_events_swept_total", true, ENGINE(store.swept), "Settled events forgotten." },
	{ "store", "idempotencyKeys", "sevq_idempotency_keys", false, ENGINE(store.keys), "Idempotency keys on disk." },
	{ "store", "idempotencyKeysForgotten", "sevq_idempotency_keys_forgotten_total", true, ENGINE(store.keys_forgotten), "Idempotency keys forgotten before their time, at --max-idempotency-keys or --max-session-idempotency-keys." },
	{ "store", "damagedReads", "sevq_damaged_reads_total", true, ENGINE(store.damaged_reads), "Reads of rows in the database that are damaged." },
	{ "store", "deadLettersLost", "sevq_dead_letters_lost_total", true, ENGINE(store.dead_letters_lost), "Dead letters forgotten before their time, for want of room." },

	{ "http", "connections", "sevq_http_connections", false, HTTP(connections), "Connections open now." },
	{ "http", "bufferedBytes", "sevq_http_buffered_bytes", false, HTTP(buffered_bytes), "Bytes buffered for connections." },
	{ "http", "accepted", "sevq_http_accepted_total", true, HTTP(accepted), "Connections accepted." },
	{ "http", "refusedLimit", "sevq_http_refused_limit_total", true, HTTP(refused_limit), "Connections refused at --max-connections." },
	{ "http", "refusedAddress", "sevq_http_refused_address_total", true, HTTP(refused_address), "Connections refused at --max-connections-per-address." },
	{ "http", "evictedIdle", "sevq_http_evicted_idle_total", true, HTTP(evicted_idle), "Idle connections closed to make room." },
	{ "http", "evictedHalfOpen", "sevq_http_evicted_half_open_total", true, HTTP(evicted_half_open), "Connections closed to make room before the headers of a request were complete." },
	{ "http", "acceptPauses", "sevq_http_accept_pauses_total", true, HTTP(accept_pauses), "Times that descriptors ran out." },
	{ "http", "hangUps", "sevq_http_hang_ups_total", true, HTTP(hang_ups), "Connections that broke off." },
	{ "http", "requests", "sevq_http_requests_total", true, HTTP(requests), "Requests begun." },
	{ "http", "bytesIn", "sevq_http_received_bytes_total", true, HTTP(bytes_in), "Bytes received." },
	{ "http", "bytesOut", "sevq_http_sent_bytes_total", true, HTTP(bytes_out), "Bytes sent or waiting to be." },
	{ "http", "answerSlices", "sevq_http_answer_slices_total", true, HTTP(answer_slices), "Slices of 256 KiB or more in which longer answers were sent." },
	{ "http", "waitersRefused", "sevq_http_waiters_refused_total", true, CALLS(waiters_refused), "Waiting calls refused at --max-waiters." },
	{ "http", "streams", "sevq_http_streams", false, CALLS(streams), "Streams open now." },
	{ "http", "streamsOpened", "sevq_http_streams_opened_total", true, CALLS(streams_opened), "Streams opened." },
	{ "http", "streamsRefused", "sevq_http_streams_refused_total", true, CALLS(streams_refused), "Streams refused at --max-streams." },
	{ "http", "streamsDropped", "sevq_http_streams_dropped_total", true, CALLS(streams_dropped), "Streams dropped at --stream-buffer." },
	{ "http", "wakesSent", "sevq_http_wakes_sent_total", true, CALLS(wakes_sent), "Wakes told on streams." },
	{ "http", "wakesGathered", "sevq_http_wakes_gathered", false, CALLS(wakes_gathered), "Sessions whose wakes have not been handed out to the streams yet." },
	{ "http", "tokensThrottled", "sevq_http_tokens_throttled_total", true, HTTP(tokens_throttled), "Calls with a bad token refused with 429, because their address had sent too many." },
	{ "http", "tokensRevoked", "sevq_http_tokens_revoked_total", true, HTTP(tokens_revoked), "Streams, waits and requests under way that ended because their token was taken away." },
	{ "http", "lateHeaders", "sevq_http_late_headers_total", true, HTTP(late_headers), "Requests given up at --header-timeout-ms." },
	{ "http", "lateBodies", "sevq_http_late_bodies_total", true, HTTP(late_body), "Requests given up at --body-timeout-ms or --min-body-rate." },
	{ "http", "lateReaders", "sevq_http_late_readers_total", true, HTTP(late_readers), "Connections dropped at --response-timeout-ms." },
	{ "http", "idleClosed", "sevq_http_idle_closed_total", true, HTTP(idle_closed), "Connections closed at --idle-timeout-ms." },
};
/* clang-format on */

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* All members are 64 bits wide and none is negative. */
static_assert(sizeof(size_t) == sizeof(uint64_t), "size_t has 64 bits");

static uint64_t
value_of(const struct metrics *metrics, const struct row *row)
{
	uint64_t value;

	memcpy(&value, (const char *)metrics + row->offset, sizeof(value));
	return value;
}

void
metrics_read(struct request *request, struct metrics *ret)
{
	struct calls *calls = calls_of(request);

	ret->census = request->work->census.census;
	engine_stats(calls->engine, &ret->engine);
	ret->http = calls->http.stats;
	ret->table = calls->http.calls;
	ret->calls = calls->stats;
	ret->uptime_ms = (uint64_t)(clock_coarse_ms() - calls->started_ms);
}

static void
add_problems(const struct metrics *metrics, struct buf *out)
{
	const char *before = "";

	BUF_ADD_LITERAL(out, ",\"problems\":{");
	for (int code = 0; code < ERROR_CODE_COUNT; code++) {
		if (metrics->http.problems[code] == 0)
			continue;
		buf_addf(out, "%s\"%s\":%llu", before, error_code_name((enum error_code)code),
			 (unsigned long long)metrics->http.problems[code]);
		before = ",";
	}
	BUF_ADD_LITERAL(out, "}");
}

void
metrics_json(const struct metrics *metrics, struct buf *out)
{
	const char *group = NULL, *before = "{";

	for (size_t i = 0; i < ROWS; i++) {
		if (group != rows[i].group &&
		    (group == NULL || strcmp(group, rows[i].group) != 0)) {
			buf_addf(out, "%s,\"%s\":", group != NULL ? "}" : "", rows[i].group);
			before = "{";
		}
		group = rows[i].group;
		buf_addf(out, "%s\"%s\":%llu", before, rows[i].name,
			 (unsigned long long)value_of(metrics, &rows[i]));
		before = ",";
	}
	BUF_ADD_LITERAL(out, "}");
	add_problems(metrics, out);
	BUF_ADD_LITERAL(out, "}");
}

static void
add_head(struct buf *out, const char *metric, const char *help, bool counter)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric,
		 counter ? "counter" : "gauge");
}

void
metrics_text(const struct metrics *metrics, struct buf *out)
{
	for (size_t i = 0; i < ROWS; i++) {
		add_head(out, rows[i].metric, rows[i].help, rows[i].counter);
		buf_addf(out, "%s %llu\n", rows[i].metric,
			 (unsigned long long)value_of(metrics, &rows[i]));
	}
	add_head(out, "sevq_http_calls_total", "Requests that reached a call.", true);
	for (size_t i = 0; i < metrics->table->count; i++)
		buf_addf(out, "sevq_http_calls_total{method=\"%s\",path=\"%s\"} %llu\n",
			 llhttp_method_name(metrics->table->table[i].method),
			 metrics->table->table[i].path, (unsigned long long)metrics->http.calls[i]);
	add_head(out, "sevq_http_responses_total", "Answers by the first digit of their status.",
		 true);
	for (int i = 2; i < STATUS_CLASSES; i++)
		buf_addf(out, "sevq_http_responses_total{status=\"%dxx\"} %llu\n", i,
			 (unsigned long long)metrics->http.responses[i]);
	add_head(out, "sevq_http_problems_total", "Problems answered, by code.", true);
	for (int i = 0; i < ERROR_CODE_COUNT; i++)
		if (metrics->http.problems[i] > 0)
			buf_addf(out, "sevq_http_problems_total{code=\"%s\"} %llu\n",
				 error_code_name((enum error_code)i),
				 (unsigned long long)metrics->http.problems[i]);
}

/* The figures are told also when a commit fails, and the census with it. */
void
metrics_send(struct request *request, request_handler *answer)
{
	census_op_init(&request->work->census);
	if (query_read(request, NULL, 0, NULL, NULL) == 0)
		submit_op(request, answer, answer);
}

static void
answer(struct request *request)
{
	struct metrics metrics;

	metrics_read(request, &metrics);
	metrics_text(&metrics, reply_begin(request));
	reply_send(request, &(struct reply){ .status = 200,
					     .type = "text/plain; version=0.0.4; charset=utf-8" });
}

/* GET /metrics */
void
metrics_get(struct request *request)
{
	metrics_send(request, answer);
}
