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
#include "server/policy_in_force.h"

struct row {
	/* in the JSON; group NULL: at the top, name NULL: not there. Rows of one group stand
	 * together. */
	const char *group, *name;
	/* for Prometheus; metric NULL: JSON has it alone. Rows of one metric stand together. */
	const char *metric, *labels;
	enum unit { PLAIN, MS, US } unit; /* of the value; the metric has seconds */
	size_t offset;
	const char *help;
};

#define METRICS(member) offsetof(struct metrics, member)

#define ENGINE(member) offsetof(struct metrics, engine.member)
#define OUTCOME(kind) offsetof(struct metrics, engine.outcomes[OUTCOME_##kind])
#define CENSUS(member) offsetof(struct metrics, census.member)
#define HTTP(member) offsetof(struct metrics, http.member)
#define CALLS(member) offsetof(struct metrics, calls.member)

/* clang-format off */
static const struct row rows[] = {
	{ NULL, "uptimeMs", NULL, NULL, PLAIN, METRICS(uptime_ms), NULL },
	{ NULL, NULL, "process_start_time_seconds", NULL, MS, METRICS(started_ms), "When the process started, since 1970." },
	{ NULL, NULL, "sevq_ready", NULL, PLAIN, METRICS(ready), "1 if an event could be stored now, else 0." },
	{ NULL, "pending", NULL, NULL, PLAIN, ENGINE(pending), NULL },
	{ NULL, "ready", "sevq_events", "state=\"ready\"", PLAIN, CENSUS(ready), "Pending events: ready ones can be had now, leased ones are held by a consumer, the time of delayed ones has not come, and held ones wait for the end of an exclusive lease or are damaged." },
	{ NULL, "leased", "sevq_events", "state=\"leased\"", PLAIN, ENGINE(leased_now), "Pending events: ready ones can be had now, leased ones are held by a consumer, the time of delayed ones has not come, and held ones wait for the end of an exclusive lease or are damaged." },
	{ NULL, "delayed", "sevq_events", "state=\"delayed\"", PLAIN, ENGINE(delayed_now), "Pending events: ready ones can be had now, leased ones are held by a consumer, the time of delayed ones has not come, and held ones wait for the end of an exclusive lease or are damaged." },
	{ NULL, "held", "sevq_events", "state=\"held\"", PLAIN, METRICS(held), "Pending events: ready ones can be had now, leased ones are held by a consumer, the time of delayed ones has not come, and held ones wait for the end of an exclusive lease or are damaged." },
	{ NULL, "sessions", "sevq_sessions", NULL, PLAIN, ENGINE(sessions), "Sessions with something pending." },
	{ NULL, "oldestTs", NULL, NULL, PLAIN, CENSUS(oldest.ts_ms), NULL },
	{ NULL, "oldestAgeMs", NULL, NULL, PLAIN, CENSUS(oldest_age_ms), NULL },
	{ NULL, "oldestReadyAgeMs", "sevq_oldest_ready_age_seconds", NULL, MS, CENSUS(oldest_ready_age_ms), "How long the session that has waited longest has had something to take of which nobody took anything; 0 when there is none." },
	{ NULL, "strandedSessions", "sevq_stranded_sessions", NULL, PLAIN, ENGINE(stranded_sessions), "Sessions whose key leads elsewhere under the policy in force." },
	{ NULL, "strandedEvents", "sevq_stranded_events", NULL, PLAIN, ENGINE(stranded_events), "Events pending in such sessions." },
	{ NULL, "deadLetters", "sevq_dead_letters", NULL, PLAIN, ENGINE(store.dead_letters), "Events that failed too often or were evicted, neither requeued nor discarded since." },
	{ NULL, "leases", "sevq_leases", NULL, PLAIN, ENGINE(leases), "Leases now." },
	{ NULL, "waiters", "sevq_waiters", NULL, PLAIN, ENGINE(waiters), "Calls that wait for something deliverable." },
	{ NULL, "lastBackupTs", "sevq_last_backup_timestamp_seconds", NULL, MS, CALLS(last_backup_ms), "When the newest backup in --backup-dir was made; 0 when there is none." },
	{ "events", "enqueued", "sevq_events_enqueued_total", "outcome=\"queued\"", PLAIN, ENGINE(enqueued), "Events that were to be enqueued: stored, or queued already." },
	{ "events", "duplicates", "sevq_events_enqueued_total", "outcome=\"duplicate\"", PLAIN, ENGINE(duplicates), "Events that were to be enqueued: stored, or queued already." },
	{ "events", "drained", "sevq_events_settled_total", "outcome=\"drained\"", PLAIN, OUTCOME(DRAINED), "Events that left their queue, by how." },
	{ "events", "consumed", "sevq_events_settled_total", "outcome=\"consumed\"", PLAIN, OUTCOME(CONSUMED), "Events that left their queue, by how." },
	{ "events", "withdrawn", "sevq_events_settled_total", "outcome=\"withdrawn\"", PLAIN, OUTCOME(WITHDRAWN), "Events that left their queue, by how." },
	{ "events", "purged", "sevq_events_settled_total", "outcome=\"purged\"", PLAIN, OUTCOME(PURGED), "Events that left their queue, by how." },
	{ "events", "replaced", "sevq_events_settled_total", "outcome=\"replaced\"", PLAIN, OUTCOME(REPLACED), "Events that left their queue, by how." },
	{ "events", "evicted", "sevq_events_settled_total", "outcome=\"evicted\"", PLAIN, OUTCOME(EVICTED), "Events that left their queue, by how." },
	{ "events", "acked", "sevq_events_settled_total", "outcome=\"acked\"", PLAIN, OUTCOME(ACKED), "Events that left their queue, by how." },
	{ "events", "expired", "sevq_events_settled_total", "outcome=\"expired\"", PLAIN, OUTCOME(EXPIRED), "Events that left their queue, by how." },
	{ "events", "dead", "sevq_events_settled_total", "outcome=\"dead\"", PLAIN, OUTCOME(DEAD), "Events that left their queue, by how." },
	{ "events", "leased", "sevq_events_leased_total", NULL, PLAIN, OUTCOME(LEASED), "Events taken under a lease." },
	{ "events", "extended", "sevq_events_extended_total", NULL, PLAIN, OUTCOME(EXTENDED), "Leased events kept longer." },
	{ "events", "nacked", "sevq_events_nacked_total", NULL, PLAIN, OUTCOME(NACKED), "Leased events given back, counting an attempt." },
	{ "events", "returned", "sevq_events_returned_total", NULL, PLAIN, OUTCOME(RETURNED), "Leased events given back, not counting one." },
	{ "events", "lapsed", "sevq_events_lapsed_total", NULL, PLAIN, OUTCOME(LAPSED), "Events whose lease ran out." },
	{ "events", "moved", "sevq_events_moved_total", NULL, PLAIN, OUTCOME(MOVED), "Events of stranded queues, moved to where their keys lead." },
	{ "events", "requeued", "sevq_events_requeued_total", NULL, PLAIN, OUTCOME(REQUEUED), "Dead letters enqueued anew." },
	{ "events", "discarded", "sevq_events_discarded_total", NULL, PLAIN, OUTCOME(DISCARDED), "Dead letters discarded." },
	{ "events", NULL, "sevq_events_routed_total", "rule=\"keep\"", PLAIN, ENGINE(routed[RULE_KEEP]), "Events stored, by the rule that gave them their queue." },
	{ "events", NULL, "sevq_events_routed_total", "rule=\"main-alias\"", PLAIN, ENGINE(routed[RULE_MAIN_ALIAS]), "Events stored, by the rule that gave them their queue." },
	{ "events", NULL, "sevq_events_routed_total", "rule=\"cron-run\"", PLAIN, ENGINE(routed[RULE_CRON_RUN]), "Events stored, by the rule that gave them their queue." },
	{ "events", NULL, "sevq_events_routed_total", "rule=\"direct-main\"", PLAIN, ENGINE(routed[RULE_DIRECT_MAIN]), "Events stored, by the rule that gave them their queue." },
	{ "events", NULL, "sevq_events_routed_total", "rule=\"isolated-heartbeat\"", PLAIN, ENGINE(routed[RULE_ISOLATED_HEARTBEAT]), "Events stored, by the rule that gave them their queue." },
	{ "rejected", "sessionFull", "sevq_rejected_session_full_total", NULL, PLAIN, ENGINE(rejected_session_full), "Events refused at --max-pending." },
	{ "rejected", "sessionsFull", "sevq_rejected_sessions_full_total", NULL, PLAIN, ENGINE(rejected_sessions_full), "Events refused at --max-sessions." },
	{ "rejected", "pendingFull", "sevq_rejected_pending_full_total", NULL, PLAIN, ENGINE(rejected_pending_full), "Events refused at --max-pending-total." },
	{ "rejected", "answers", "sevq_rejected_answers_total", NULL, PLAIN, ENGINE(rejected_answers), "Calls refused because the answers of one moment were too large together." },
	{ "rejected", "storageFull", "sevq_rejected_storage_full_total", NULL, PLAIN, ENGINE(rejected_storage_full), "Events refused because the disk or database is full." },
	{ "engine", "ops", "sevq_ops_total", NULL, PLAIN, ENGINE(ops), "Pieces of work, reads included." },
	{ "engine", "walkedEntries", "sevq_walked_entries_total", NULL, PLAIN, ENGINE(walked), "Pending events that pieces of work looked at one by one." },
	{ "engine", "commits", NULL, NULL, PLAIN, ENGINE(commits), NULL },
	{ "engine", "commitFailures", "sevq_commit_failures_total", NULL, PLAIN, ENGINE(commit_failures), "Transactions that failed and changed nothing." },
	{ "engine", "commitUs", NULL, NULL, PLAIN, ENGINE(commit_us_total), NULL },
	{ "engine", "batchOpsMax", "sevq_largest_batch_ops", NULL, PLAIN, ENGINE(batch_ops_max), "The most pieces of work that shared one turn." },
	{ "engine", "clockJumps", "sevq_clock_jumps_total", NULL, PLAIN, ENGINE(clock_jumps), "Times that the wall clock jumped by more than a minute, or was wrong by as much at the start." },
	{ "engine", "catalogBytes", "sevq_catalog_bytes", NULL, PLAIN, ENGINE(catalog_bytes), "Memory of the catalog." },
	{ "engine", "recentBytes", "sevq_recent_bytes", NULL, PLAIN, ENGINE(recent_bytes), "Memory of the newest events." },
	{ "engine", "recentHits", "sevq_recent_hits_total", NULL, PLAIN, ENGINE(recent_hits), "Events for answers that were still in memory." },
	{ "engine", "recentMisses", "sevq_recent_misses_total", NULL, PLAIN, ENGINE(recent_misses), "Events for answers that were read from the database." },
	{ "loop", "turns", "sevq_turns_total", NULL, PLAIN, CALLS(turns), "Turns of the loop." },
	{ "loop", "longTurns", "sevq_long_turns_total", NULL, PLAIN, CALLS(long_turns), "Turns of the loop that used more than 10 ms of processor time." },
	{ "loop", "turnUsMax", "sevq_longest_turn_seconds", NULL, US, CALLS(turn_us_max), "The most processor time that one turn of the loop has used, since the start or the last reload." },
	{ "store", "databaseBytes", "sevq_database_bytes", NULL, PLAIN, ENGINE(store.database_bytes), "Size of the database file." },
	{ "store", "freeBytes", "sevq_storage_free_bytes", NULL, PLAIN, ENGINE(store.free_bytes), "Bytes free on the disk of the database." },
	{ "store", "walBytes", "sevq_wal_bytes", NULL, PLAIN, ENGINE(store.wal_bytes), "Bytes of the write-ahead log that are not in the database yet." },
	{ "store", "events", "sevq_stored_events", NULL, PLAIN, ENGINE(store.events), "Events on disk, settled ones included." },
	{ "store", "outcomes", "sevq_stored_outcomes", NULL, PLAIN, ENGINE(store.outcomes), "Outcomes on disk." },
	{ "store", "checkpoints", "sevq_checkpoints_total", NULL, PLAIN, ENGINE(store.checkpoints), "Checkpoints." },
	{ "store", "swept", "sevq_events_swept_total", NULL, PLAIN, ENGINE(store.swept), "Settled events forgotten." },
	{ "store", "idempotencyKeys", "sevq_idempotency_keys", NULL, PLAIN, ENGINE(store.keys), "Idempotency keys on disk." },
	{ "store", "idempotencyKeysForgotten", "sevq_idempotency_keys_forgotten_total", NULL, PLAIN, ENGINE(store.keys_forgotten), "Idempotency keys forgotten before their time, at --max-idempotency-keys or --max-session-idempotency-keys." },
	{ "store", "damagedReads", "sevq_damaged_reads_total", NULL, PLAIN, ENGINE(store.damaged_reads), "Reads of rows in the database that are damaged." },
	{ "store", "deadLettersLost", "sevq_dead_letters_lost_total", NULL, PLAIN, ENGINE(store.dead_letters_lost), "Dead letters forgotten before their time, for want of room." },
	{ "http", "connections", "sevq_http_connections", NULL, PLAIN, HTTP(connections), "Connections open now." },
	{ "http", "bufferedBytes", "sevq_http_buffered_bytes", NULL, PLAIN, HTTP(buffered_bytes), "Bytes buffered for connections." },
	{ "http", "accepted", "sevq_http_accepted_total", NULL, PLAIN, HTTP(accepted), "Connections accepted." },
	{ "http", "refusedLimit", "sevq_http_refused_limit_total", NULL, PLAIN, HTTP(refused_limit), "Connections refused at --max-connections." },
	{ "http", "refusedAddress", "sevq_http_refused_address_total", NULL, PLAIN, HTTP(refused_address), "Connections refused at --max-connections-per-address." },
	{ "http", "evictedIdle", "sevq_http_evicted_idle_total", NULL, PLAIN, HTTP(evicted_idle), "Idle connections closed to make room." },
	{ "http", "evictedHalfOpen", "sevq_http_evicted_half_open_total", NULL, PLAIN, HTTP(evicted_half_open), "Connections closed to make room before the headers of a request were complete." },
	{ "http", "acceptPauses", "sevq_http_accept_pauses_total", NULL, PLAIN, HTTP(accept_pauses), "Times that descriptors ran out." },
	{ "http", "hangUps", "sevq_http_hang_ups_total", NULL, PLAIN, HTTP(hang_ups), "Connections that broke off." },
	{ "http", "tlsFailures", "sevq_http_tls_failures_total", NULL, PLAIN, HTTP(tls_failures), "TLS handshakes that failed, or took longer than --header-timeout-ms." },
	{ "http", "requests", NULL, NULL, PLAIN, HTTP(requests), NULL },
	{ "http", "bytesIn", "sevq_http_received_bytes_total", NULL, PLAIN, HTTP(bytes_in), "Bytes received." },
	{ "http", "bytesOut", "sevq_http_sent_bytes_total", NULL, PLAIN, HTTP(bytes_out), "Bytes sent or waiting to be." },
	{ "http", "answerSlices", "sevq_http_answer_slices_total", NULL, PLAIN, HTTP(answer_slices), "Slices of 256 KiB or more in which longer answers were sent." },
	{ "http", "waitersRefused", "sevq_http_waiters_refused_total", NULL, PLAIN, CALLS(waiters_refused), "Waiting calls refused at --max-waiters." },
	{ "http", "streams", "sevq_http_streams", NULL, PLAIN, CALLS(streams), "Streams open now." },
	{ "http", "streamsOpened", "sevq_http_streams_opened_total", NULL, PLAIN, CALLS(streams_opened), "Streams opened." },
	{ "http", "streamsRefused", "sevq_http_streams_refused_total", NULL, PLAIN, CALLS(streams_refused), "Streams refused at --max-streams." },
	{ "http", "streamsDropped", "sevq_http_streams_dropped_total", NULL, PLAIN, CALLS(streams_dropped), "Streams dropped at --stream-buffer." },
	{ "http", "wakesSent", "sevq_http_wakes_sent_total", NULL, PLAIN, CALLS(wakes_sent), "Wakes told on streams." },
	{ "http", "changesSent", "sevq_http_changes_sent_total", NULL, PLAIN, CALLS(changes_sent), "Changes of queues told on streams." },
	{ "http", "changesGathered", "sevq_http_changes_gathered", NULL, PLAIN, CALLS(changes_gathered), "Sessions whose changes have not been handed out to the streams yet." },
	{ "http", "wakesGathered", "sevq_http_wakes_gathered", NULL, PLAIN, CALLS(wakes_gathered), "Sessions whose wakes have not been handed out to the streams yet." },
	{ "http", "tokensThrottled", "sevq_http_tokens_throttled_total", NULL, PLAIN, HTTP(tokens_throttled), "Calls with a bad token refused with 429, because their address had sent too many." },
	{ "http", "tokensRevoked", "sevq_http_tokens_revoked_total", NULL, PLAIN, HTTP(tokens_revoked), "Streams, waits and requests under way that ended because their token was taken away." },
	{ "http", "pageCodes", "sevq_http_page_codes", NULL, PLAIN, METRICS(page_codes), "Codes for a page that have not been used yet." },
	{ "http", "pageCodesRefused", "sevq_http_page_codes_refused_total", NULL, PLAIN, HTTP(codes_refused), "Codes for a page refused with 429, because 64 had not been used yet." },
	{ "http", "pageSessions", "sevq_http_page_sessions", NULL, PLAIN, METRICS(page_sessions), "Pages that have a token now." },
	{ "http", "pageSessionsEnded", "sevq_http_page_sessions_ended_total", NULL, PLAIN, HTTP(granted_ended), "Tokens of pages that ended early, because there were 64." },
	{ "http", "lateHeaders", "sevq_http_late_headers_total", NULL, PLAIN, HTTP(late_headers), "Requests given up at --header-timeout-ms." },
	{ "http", "lateBodies", "sevq_http_late_bodies_total", NULL, PLAIN, HTTP(late_body), "Requests given up at --body-timeout-ms or --min-body-rate." },
	{ "http", "lateReaders", "sevq_http_late_readers_total", NULL, PLAIN, HTTP(late_readers), "Connections dropped at --response-timeout-ms." },
	{ "http", "idleClosed", "sevq_http_idle_closed_total", NULL, PLAIN, HTTP(idle_closed), "Connections closed at --idle-timeout-ms." },
	{ NULL, NULL, "sevq_tls_certificate_expires_timestamp_seconds", NULL, MS, HTTP(tls_expires_ms), "When the TLS certificate in use expires, since 1970; 0 without TLS." },
	{ NULL, NULL, "sevq_tls_last_reload_successful", NULL, PLAIN, HTTP(tls_read), "1 if the TLS files could be read when that was last tried, else 0: then the ones before are in use. 1 without TLS." },
	{ NULL, NULL, "sevq_policy_last_reload_successful", NULL, PLAIN, METRICS(policy_ok), "1 if the policy could be read when that was last tried, else 0: then the one before is in force." },
	{ NULL, NULL, "sevq_policy_last_reload_success_timestamp_seconds", NULL, MS, METRICS(policy_read_ms), "When the policy was last read without an error, since 1970." },
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

/* Events in no other state. The census may be a second older than the other figures. */
static uint64_t
held(const struct engine_stats *engine, const struct census *census)
{
	size_t others = engine->leased_now + engine->delayed_now + census->ready;

	return engine->pending > others ? engine->pending - others : 0;
}

void
metrics_read(struct request *request, struct metrics *ret)
{
	struct calls *calls = calls_of(request);
	struct error err;

	ret->census = request->work->census.census;
	engine_stats(calls->engine, &ret->engine);
	ret->held = held(&ret->engine, &ret->census);
	ret->ready = !calls->http.closing && engine_ready(calls->engine, &err);
	ret->policy_ok = calls->policy->last_error.code == ERROR_NONE;
	ret->policy_read_ms = (uint64_t)calls->policy->read_ms;
	ret->http = calls->http.stats;
	ret->page_codes = ret->page_sessions = 0;
	if (calls->http.auth != NULL)
		auth_count_granted(calls->http.auth, &ret->page_codes, &ret->page_sessions);
	ret->table = calls->http.calls;
	ret->calls = calls->stats;
	ret->uptime_ms = (uint64_t)(clock_coarse_ms() - calls->started_ms);
	ret->started_ms = (uint64_t)calls->started_wall_ms;
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
		if (rows[i].name == NULL)
			continue;
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
}

static void
add_head(struct buf *out, const char *metric, const char *help, const char *type)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);
}

static void
add_value(struct buf *out, uint64_t value, enum unit unit)
{
	if (unit == PLAIN)
		buf_addf(out, "%llu", (unsigned long long)value);
	else if (unit == MS)
		buf_addf(out, "%llu.%03llu", (unsigned long long)value / 1000,
			 (unsigned long long)value % 1000);
	else
		buf_addf(out, "%llu.%06llu", (unsigned long long)value / 1000000,
			 (unsigned long long)value % 1000000);
}

static bool
is_counter(const char *metric)
{
	size_t len = strlen(metric);

	return len > 6 && strcmp(metric + len - 6, "_total") == 0;
}

static void
add_row(struct buf *out, const struct metrics *metrics, const struct row *row)
{
	buf_adds(out, row->metric);
	if (row->labels != NULL)
		buf_addf(out, "{%s}", row->labels);
	buf_adds(out, " ");
	add_value(out, value_of(metrics, row), row->unit);
	buf_adds(out, "\n");
}

static void
add_rows(struct buf *out, const struct metrics *metrics)
{
	const char *before = "";

	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].metric == NULL)
			continue;
		if (strcmp(rows[i].metric, before) != 0)
			add_head(out, rows[i].metric, rows[i].help,
				 is_counter(rows[i].metric) ? "counter" : "gauge");
		before = rows[i].metric;
		add_row(out, metrics, &rows[i]);
	}
}

static void
add_histogram(struct buf *out, const char *metric, const char *help,
	      const struct histogram_bounds *bounds, const struct histogram *histogram,
	      enum unit unit)
{
	uint64_t sum = 0;

	add_head(out, metric, help, "histogram");
	for (size_t i = 0; i <= bounds->count; i++) {
		sum += histogram->counts[i];
		buf_addf(out, "%s_bucket{le=\"", metric);
		if (i < bounds->count)
			add_value(out, bounds->most[i], unit);
		else
			buf_adds(out, "+Inf");
		buf_addf(out, "\"} %llu\n", (unsigned long long)sum);
	}
	buf_addf(out, "%s_sum ", metric);
	add_value(out, histogram->sum, unit);
	buf_addf(out, "\n%s_count %llu\n", metric, (unsigned long long)sum);
}

static void
add_requests(struct buf *out, const struct metrics *metrics, size_t call)
{
	bool known = call < metrics->table->count;

	for (size_t i = 0; i < HTTP_STATUSES; i++)
		if (metrics->http.answers[call][i] > 0)
			buf_addf(out,
				 "sevq_http_requests_total{method=\"%s\",route=\"%s\",code=\"%d\"} "
				 "%llu\n",
				 known ? llhttp_method_name(metrics->table->table[call].method)
				       : "",
				 known ? metrics->table->table[call].path : "", reply_status(i),
				 (unsigned long long)metrics->http.answers[call][i]);
}

void
metrics_text(const struct metrics *metrics, struct buf *out)
{
	const struct engine_stats *engine = &metrics->engine;

	add_head(out, "sevq_build_info", "The version, and what it stores events in.", "gauge");
	buf_addf(out, "sevq_build_info{version=\"%s\",store=\"sqlite\",schema=\"%d\"} 1\n",
		 SEVQ_VERSION, engine->store.schema);
	add_rows(out, metrics);
	add_histogram(out, "sevq_event_wait_seconds",
		      "Time from an event's arrival until it was first taken.", &event_wait_bounds,
		      &engine->event_wait, MS);
	add_histogram(out, "sevq_commit_duration_seconds",
		      "Time from the beginning of a commit until it was durable, or had failed.",
		      &commit_duration_bounds, &engine->commit_duration, US);
	add_histogram(out, "sevq_commit_batch_events", "Events that one commit stored.",
		      &commit_batch_bounds, &engine->commit_batch, PLAIN);
	add_head(out, "sevq_http_requests_total",
		 "Requests answered; an empty route is none of the calls.", "counter");
	for (size_t i = 0; i <= metrics->table->count; i++)
		add_requests(out, metrics, i < metrics->table->count ? i : HTTP_CALLS_MAX);
	add_head(out, "sevq_http_problems_total", "Problems answered, by code.", "counter");
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
