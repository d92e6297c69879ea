/*
 * serve.c - start, the loop, stop.
 *
 * Start, in an order that leaves nothing behind when a later step fails: options and policy are
 * only read; the store comes next, because its lock says whether this server is the only one; then
 * the token and TLS files, the listeners, and last the file that tells clients where we are.
 *
 * The loop. In a turn libevent reads every connection that is ready, and each request that needs
 * the queue becomes an op in the engine's batch; at the end of the turn the engine carries the
 * batch out as one transaction with one fsync, and the requesters are answered. While that commit
 * runs the kernel gathers the next turn's requests, so that batches grow with the load by
 * themselves. After it come the same few chores in the same order, each of them bounded.
 */
#include "server/serve.h"

#include <assert.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include <unistd.h>

#include "queue/clock.h"
#include "queue/sqlite/store.h"
#include "server/calls/askers.h"
#include "server/calls/backups.h"
#include "server/calls/calls.h"
#include "server/calls/policy.h"
#include "server/calls/routes.h"
#include "server/calls/stream.h"
#include "server/calls/wait.h"
#include "server/config/paths.h"
#include "server/file.h"
#include "server/http/access_log.h"
#include "server/http/connections.h"
#include "server/log.h"
#include "server/options.h"
#include "server/policy_in_force.h"
#include "server/policy_report.h"
#include "server/policy_watch.h"
#include "server/runtime_file.h"
#include "server/service.h"

#define DESCRIPTORS_NOT_FOR_CONNECTIONS 32
#define GATHER_US 100
#define CHORES_MS 1000       /* between chores that the store asks for */
#define IDLE_CHORES_MS 60000 /* between chores of a server that nobody calls */
#define FIRST_SOCKET 3       /* of those that are passed */
#define SERVING "serving"
#define TELL_AGAIN_MS 10000 /* between records of something that goes on */
/*
 * The work that requests may cause in a turn before their ops are carried out, in microseconds; and
 * that of requests that were read ahead, for which the others leave some.
 */
#define GATHER_WORK_MAX 1500
#define TURN_WORK_MAX 2000
/* The work on answers that may be long, when ops are carried out, and again on those begun before
 */
#define ANSWER_WORK_MAX 1500

static_assert(OPTION_LIST_MAX <= LISTENERS_MAX, "there is a listener for every --listen");

enum exit_code {
	EXIT_OK = 0,
	EXIT_BAD_USAGE = 2,
	EXIT_NO_MEMORY = 69,
	EXIT_UNKNOWN_COMMIT = 70,
	EXIT_CANNOT_LISTEN = 71,
	EXIT_STORAGE = 74,
	EXIT_LOCKED = 75,
	EXIT_BAD_CONFIG = 78,
};

/* The loop's state, and what signals and timers have asked of it. */
struct loop {
	struct calls *calls;
	struct http *http; /* of calls */
	struct options *options;
	struct policy_in_force policy; /* of calls */
	int argc;
	char **argv;
	const char *token_file; /* NULL: no authentication */
	struct event *signals[3], *timer;
	int64_t timer_at_ms, stop_at_ms; /* INT64_MAX: not set */
	uint64_t answers;                /* given when it last looked for requests */
	uint64_t clock_jumps;            /* that the log has told of */
	int64_t processor_us;            /* that the thread had used at the end of the last turn */
	enum store_limit limit;          /* of the store, as told in the log; */
	struct forgotten {
		uint64_t count;  /* that the log has told of, */
		int64_t told_ms; /* then */
	} dead_letters_lost, keys_forgotten;
	uint64_t damaged_named; /* the damaged events that the log has named */
	bool reload, stop;
};

static enum exit_code
exit_code_of(const struct error *err)
{
	switch (err->code) {
	case ERROR_USAGE:
		return EXIT_BAD_USAGE;
	case ERROR_STORAGE_LOCKED:
		return EXIT_LOCKED;
	case ERROR_STORAGE_FAILED:
	case ERROR_STORAGE_FULL:
		return EXIT_STORAGE;
	case ERROR_STORAGE_UNKNOWN:
		return EXIT_UNKNOWN_COMMIT;
	default:
		return EXIT_BAD_CONFIG;
	}
}

/* What is queued is on the disk, and requests under way are not answered. */
static void
exit_without_memory(void)
{
	log_line(LOG_ERROR, log_msg("out of memory"));
	_exit(EXIT_NO_MEMORY);
}

static enum exit_code
fail_start(const struct error *err)
{
	log_failure(LOG_ERROR, "cannot start", err);
	return exit_code_of(err);
}

/* --- TLS --- */

/* Takes the place of what was loaded before; connections go on with the certificate they have. */
static int
load_tls(struct loop *loop, struct error *err)
{
	const struct tls_files *files = &loop->options->tls;
	struct http *http = loop->http;
	struct tls *fresh;
	int64_t expires_ms;
	bool expired;

	if (files->cert == NULL)
		return 0;
	if (tls_load(files, &fresh, err) != 0)
		return -1;
	tls_free(http->tls);
	http->tls = fresh;
	expires_ms = tls_expires_ms(fresh);
	expired = expires_ms <= clock_now().wall_ms;
	http->stats.tls_expires_ms = expires_ms > 0 ? (uint64_t)expires_ms : 0;
	log_line(expired ? LOG_WARN : LOG_INFO,
		 log_msg(expired ? "the TLS certificate has expired" : "TLS certificate read"),
		 log_text("file", files->cert), log_number("expiresTs", expires_ms));
	return 0;
}

/* --- tokens --- */

/* The default file is made where it is missing; one that was named must be there. */
static int
load_tokens(struct loop *loop, char **path, bool *made, struct error *err)
{
	const struct options *options = loop->options;

	*made = false;
	if (options->no_auth)
		return 0;
	*path = options->token_file != NULL ? strdup(options->token_file)
					    : file_beside(options->db, "token");
	if (options->token_file == NULL && auth_create(*path, made, err) != 0)
		return -1;
	loop->token_file = *path;
	if (auth_load(*path, &loop->http->auth, err) != 0)
		return -1;
	loop->http->token_expiry = auth_next_expiry(loop->http->auth);
	return 0;
}

/* Ends what goes on by a token that has expired. */
static void
expire_tokens(struct loop *loop)
{
	if (!expiry_is_over(loop->http->token_expiry))
		return;
	connections_check_tokens(loop->http);
	loop->http->token_expiry = auth_next_expiry(loop->http->auth);
}

/* Reading again on SIGHUP: each part by itself, and a bad one leaves the old in force. */

static bool
reload_level(struct loop *loop)
{
	struct options fresh = { 0 };
	struct error err;
	bool loaded = options_load(&fresh, loop->argc, loop->argv, &err) == 0;

	if (loaded)
		log_configure((enum log_level)fresh.log_level, (enum log_format)fresh.log_format);
	else
		log_failure(LOG_ERROR, "options not reloaded, the old ones stay", &err);
	options_clear(&fresh);
	return loaded;
}

static bool
reload_policy(struct loop *loop)
{
	struct error err;
	bool changed;

	return policy_in_force_reload(&loop->policy, &changed, &err) == 0;
}

/* Reads the policy again if a request asks for that, or its files have changed. */
static void
renew_policy(struct loop *loop)
{
	bool asked = policy_reload_is_due(loop->calls);

	if (!asked && !policy_watch_is_due(loop->policy.watch))
		return;
	listeners_release_reserve(&loop->http->listeners);
	if (asked)
		policy_reload_begin(loop->calls);
	else
		reload_policy(loop);
	listeners_retake_reserve(&loop->http->listeners);
}

/* The keys of streams may be routed elsewhere now. */
static void
on_policy_changed(void *arg)
{
	streams_end_routed(((struct loop *)arg)->calls->streams);
}

static bool
reload_tokens(struct loop *loop)
{
	struct auth *auth;
	struct error err;

	if (loop->token_file == NULL)
		return true;
	if (auth_load(loop->token_file, &auth, &err) != 0) {
		log_failure(LOG_ERROR, "tokens not reloaded, the old ones stay", &err);
		return false;
	}
	auth_inherit(auth, loop->http->auth);
	auth_free(loop->http->auth);
	loop->http->auth = auth;
	loop->http->token_expiry = auth_next_expiry(auth);
	connections_check_tokens(loop->http);
	return true;
}

static bool
reload_tls(struct loop *loop)
{
	struct error err;
	bool loaded = load_tls(loop, &err) == 0;

	loop->http->stats.tls_read = loaded;
	if (!loaded)
		log_failure(LOG_ERROR, "TLS files not reloaded, the old ones stay", &err);
	return loaded;
}

/* A function of its own in every build: tests/instructions counts from one to the next. */
static void __attribute__((noinline)) reload(struct loop *loop)
{
	loop->reload = false;
	service_reloading();
	listeners_release_reserve(&loop->http->listeners);
	bool all = reload_level(loop);
	all = reload_tokens(loop) && all;
	all = reload_tls(loop) && all;
	loop->calls->reload_failed = !all;
	all = reload_policy(loop) && all;
	listeners_retake_reserve(&loop->http->listeners);
	if (all)
		log_line(LOG_INFO, log_msg("reloaded"));
	service_ready(all ? SERVING
			  : SERVING ", but what was to be reloaded is wrong: see the log");
}

/* --- signals and the timer --- */

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	struct loop *loop = arg;

	(void)what;
	if (number == SIGHUP)
		loop->reload = true;
	else
		loop->stop = true;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	(void)fd;
	(void)what;
	loop->timer_at_ms = INT64_MAX; /* having woken the loop is all it does */
}

static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

static void
watch_signals(struct loop *loop)
{
	for (size_t i = 0; i < 3; i++) {
		loop->signals[i] = evsignal_new(loop->http->base, signals[i], on_signal, loop);
		event_add(loop->signals[i], NULL);
	}
	loop->timer = evtimer_new(loop->http->base, on_timer, loop);
}

/* The process is about to end with its own exit code, whatever it is sent from here on. */
static void
unwatch_signals(struct loop *loop)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < 3; i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (size_t i = 0; i < 3; i++)
		if (loop->signals[i] != NULL)
			event_free(loop->signals[i]);
	if (loop->timer != NULL)
		event_free(loop->timer);
}

/*
 * One timer stands for all deadlines, and for what time does to events. It may be early, never
 * late.
 */
static void
set_timer(struct loop *loop)
{
	int64_t next = deadlines_next_ms(&loop->http->deadlines),
		streams = streams_next_ms(loop->calls->streams);
	int64_t due = engine_due_ms(loop->calls->engine), wait;
	int64_t records = access_log_next_ms(loop->http),
		token = expiry_in_ms(loop->http->token_expiry);
	int64_t chores =
	    clock_coarse_ms() +
	    (engine_store(loop->calls->engine)->wants_chores ? CHORES_MS : IDLE_CHORES_MS);

	if (loop->stop_at_ms < next)
		next = loop->stop_at_ms;
	if (streams < next)
		next = streams;
	if (chores < next)
		next = chores;
	if (service_next_ms() < next)
		next = service_next_ms();
	if (records < next)
		next = records;
	if (token != INT64_MAX && token < next - clock_coarse_ms())
		next = clock_coarse_ms() + token;
	if (due >= 0 && clock_coarse_ms() + due < next)
		next = clock_coarse_ms() + due;
	if (next >= loop->timer_at_ms)
		return;
	wait = next - clock_coarse_ms();
	if (wait < 1)
		wait = 1;
	loop->timer_at_ms = next;
	event_add(loop->timer,
		  &(struct timeval){ .tv_sec = wait / 1000, .tv_usec = wait % 1000 * 1000 });
}

/* --- the loop --- */

/*
 * Nothing of the last batch may be answered, nor anything cleaned up that could look like an answer
 * (C8).
 */
static _Noreturn void
die(const struct error *err)
{
	log_failure(LOG_ERROR, "what is on disk is unknown: stopping without an answer", err);
	_exit(EXIT_UNKNOWN_COMMIT);
}

/*
 * No new connections; whoever waits is told that there is nothing, and streams end; what has been
 * asked is answered, what is being asked may be completed until the grace is over.
 */
static void
begin_stop(struct loop *loop)
{
	struct http *http = loop->http;

	service_stopping();
	log_line(LOG_INFO, log_msg("stopping"),
		 log_number("connections", (long long)http->stats.connections));
	http->closing = true;
	loop->stop_at_ms = clock_coarse_ms() + loop->options->shutdown_grace_ms;
	listeners_close(&http->listeners);
	engine_stop_rekeying(loop->calls->engine);
	waits_end(loop->calls->waits);
	streams_end(loop->calls->streams);
}

/* What the store had to forget before its time, not more often than TELL_AGAIN_MS. */
static void
log_forgotten(struct forgotten *told, uint64_t count, const char *message)
{
	if (count == told->count || clock_coarse_ms() - told->told_ms < TELL_AGAIN_MS)
		return;
	log_line(LOG_WARN, log_msg(message), log_number("count", (long long)(count - told->count)));
	*told = (struct forgotten){ count, clock_coarse_ms() };
}

/* Going full and getting well are told once each. */
static void
log_limit(struct loop *loop, enum store_limit limit)
{
	if (limit != STORE_LIMIT_NONE)
		log_line(LOG_WARN, log_msg("no room for events: new ones are refused"),
			 log_text("limit", store_limit_name(limit)));
	else
		log_line(LOG_WARN, log_msg("there is room for events again"),
			 log_text("limit", store_limit_name(loop->limit)));
	loop->limit = limit;
}

/* Of more than the store remembers, the last are named. */
static void
log_damage(struct loop *loop, const struct store *store)
{
	if (store->damaged_named - loop->damaged_named > STORE_DAMAGED_NAMED)
		loop->damaged_named = store->damaged_named - STORE_DAMAGED_NAMED;
	for (; loop->damaged_named < store->damaged_named; loop->damaged_named++) {
		int64_t event = store->damaged[loop->damaged_named % STORE_DAMAGED_NAMED];

		if (event != 0)
			log_line(LOG_ERROR,
				 log_msg("an event is damaged in the store and is left out"),
				 log_number("event", (long long)event));
		else
			log_line(LOG_ERROR, log_msg("a record in the store is damaged"));
	}
}

static void
log_store(struct loop *loop)
{
	const struct store *store = engine_store(loop->calls->engine);

	if (store->limit != loop->limit)
		log_limit(loop, store->limit);
	log_forgotten(&loop->dead_letters_lost, store->dead_letters_lost,
		      "dead letters were forgotten for want of room");
	log_forgotten(&loop->keys_forgotten, store->keys_forgotten,
		      "idempotency keys were forgotten, for there were too many");
	log_damage(loop, store);
}

static uint64_t
count_answers(const struct http_stats *stats)
{
	uint64_t answers = 0;

	for (size_t i = 0; i < sizeof(stats->responses) / sizeof(stats->responses[0]); i++)
		answers += stats->responses[i];
	return answers;
}

/*
 * Handles the input that has arrived or will arrive in a moment.
 *
 * A client that has just been answered often sends its next request at once, and is quicker to do
 * so than a sleeping process is to wake up. So the loop looks for as many requests as the last turn
 * answered, for at most GATHER_US, before it carries out what has come; only when nothing has does
 * the next turn sleep. Requests that would have missed this commit share it, and one client alone
 * does not wait for the wake-up. Longer than a commit takes would cost more than it can gain:
 * GATHER_US is about that of a quick disk. A server whose clients are gone looks once, in vain, and
 * then sleeps. The processor is given to others between two looks, who may be those clients.
 *
 * Measured: 1.05 times the posts a second with one connection, 1.38 with 8, 1.00 with 64, 1.04 with
 * 256, at 1.18, 0.81, 1.03 and 0.99 times the processor time a post.
 *
 * It ends early when what has come is enough work for a turn (GATHER_WORK_MAX).
 */
static void
gather(struct loop *loop, bool busy)
{
	struct http *http = loop->http;
	uint64_t answers = count_answers(&http->stats),
		 expected = http->stats.requests + (answers - loop->answers);
	int64_t until_us = answers > loop->answers ? clock_monotonic_us() + GATHER_US : 0;

	loop->answers = answers;
	http->turn_work = 0;
	http->turn_work_max = GATHER_WORK_MAX;
	event_base_loop(http->base, EVLOOP_ONCE | (busy || until_us > 0 ? EVLOOP_NONBLOCK : 0));
	while (http->stats.requests < expected && !http_turn_is_over(http) &&
	       clock_monotonic_us() < until_us) {
		sched_yield();
		event_base_loop(http->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
}

/*
 * What is left of --max-buffered-bytes. While little of it is used, the first answer may have its
 * share, and one event can be had under any limit.
 */
static void
limit_answers(const struct loop *loop)
{
	uint64_t most = loop->http->limits.buffered_bytes_max,
		 buffered = loop->http->stats.buffered_bytes;

	engine_set_answer_budget(loop->calls->engine,
				 buffered < most ? (size_t)(most - buffered) : 0,
				 buffered < most / ANSWER_SHARE);
}

/*
 * Says that the wall clock has jumped. Times that were written before it are those of a wrong
 * clock, or those that are written from now on.
 */
static void
log_clock_jumps(struct loop *loop)
{
	int64_t by_ms;
	uint64_t jumps = engine_clock_jumps(loop->calls->engine, &by_ms);

	if (jumps == loop->clock_jumps)
		return;
	loop->clock_jumps = jumps;
	log_line(LOG_WARN,
		 log_msg(by_ms < 0 ? "the wall clock went back, and times of events with it"
				   : "the wall clock jumped ahead, and times of events with it"),
		 log_number("byMs", by_ms));
}

/* Counts the turn, which is over, by the processor time that it has used. */
static void
count_turn(struct loop *loop, bool reloaded)
{
	struct call_stats *stats = &loop->calls->stats;
	int64_t now_us = clock_processor_us();
	uint64_t used_us = (uint64_t)(now_us - loop->processor_us);

	loop->processor_us = now_us;
	stats->turns++;
	stats->long_turns += used_us > LONG_TURN_US;
	if (reloaded)
		stats->turn_us_max = 0;
	else if (used_us > stats->turn_us_max)
		stats->turn_us_max = used_us;
}

static bool
turn(struct loop *loop, bool busy)
{
	struct calls *calls = loop->calls;
	struct error err;
	bool reloads, streams_have_more = false;

	gather(loop, busy);
	loop->http->turn_work_max = TURN_WORK_MAX;
	connections_resume(loop->http);
	limit_answers(loop);
	loop->http->answer_work = 0;
	loop->http->answer_work_max = ANSWER_WORK_MAX;
	if (engine_turn(calls->engine, &err) != 0)
		die(&err);
	waits_end_overdue(calls->waits);
	loop->http->answer_work = 0;
	connections_answer(loop->http);
	if (!engine_is_busy(calls->engine)) /* what streams tell is read from the catalog */
		streams_have_more = streams_flush(calls->streams);
	connections_expire(loop->http);
	expire_tokens(loop);
	reloads = loop->reload;
	if (reloads)
		reload(loop);
	renew_policy(loop);
	busy = engine_chores(calls->engine);
	if (engine_stopped(calls->engine, &err))
		die(&err);
	policy_in_force_log(&loop->policy);
	policy_reload_end(calls);
	backups_look(calls->backups);
	log_clock_jumps(loop);
	log_store(loop);
	access_log_tell_more(loop->http);
	service_turn();
	set_timer(loop);
	count_turn(loop, reloads);
	/* An answer may have asked for more: nothing else would wake the loop for that. */
	return busy || streams_have_more || !TAILQ_EMPTY(&loop->http->resumable) ||
	       !TAILQ_EMPTY(&loop->http->answering) || engine_has_work(calls->engine);
}

static void
run(struct loop *loop)
{
	struct http *http = loop->http;
	bool busy = true; /* at first: the store may have chores, and time something to do */

	loop->processor_us = clock_processor_us();
	while (!loop->stop)
		busy = turn(loop, busy);
	begin_stop(loop);
	turn(loop, true); /* what had arrived by now is still read */
	connections_close_idle(http);
	while (!TAILQ_EMPTY(&http->connections) && clock_coarse_ms() < loop->stop_at_ms) {
		set_timer(loop);
		busy = turn(loop, busy);
		connections_close_idle(http);
	}
	while (!engine_idle(loop->calls->engine))
		busy = turn(loop, busy);
}

/* --- start and end --- */

static int
open_store(const struct options *options, struct store **ret, struct error *err)
{
	struct sqlite_options sqlite;

	sqlite_options_init(&sqlite);
	sqlite.path = options->db;
	sqlite.max_bytes = (uint64_t)options->db_max_bytes;
	sqlite.min_free_bytes = (uint64_t)options->db_min_free_bytes;
	sqlite.allow_network_fs = options->allow_network_fs;
	sqlite.keys_max = (uint64_t)options->max_idempotency_keys;
	sqlite.keys_per_owner_max = (uint64_t)options->max_session_idempotency_keys;
	return sqlite_open(&sqlite, ret, err);
}

static int
open_engine(struct loop *loop, struct error *err)
{
	struct calls *calls = loop->calls;
	struct engine_options options;
	struct policy *policy;
	struct store *store;

	if (policy_in_force_begin(&loop->policy, loop->options, &policy, err) != 0)
		return -1;
	if (open_store(loop->options, &store, err) != 0) {
		policy_free(policy);
		return -1;
	}
	options_engine(loop->options, &options);
	options.loading = service_loading;
	if (engine_open(store, policy, &options, &calls->engine, err) == 0) {
		loop->policy.engine = calls->engine;
		loop->policy.changed = on_policy_changed;
		loop->policy.changed_arg = loop;
		engine_on_wake(calls->engine, streams_on_wake, calls->streams);
		while (engine_is_busy(calls->engine)) /* never with SQLite, which loads at once */
			event_base_loop(loop->http->base, EVLOOP_ONCE);
		return engine_stopped(calls->engine, err) ? -1 : 0;
	}
	store->driver->close(store, NULL);
	policy_free(policy);
	return -1;
}

/* As many descriptors as we are allowed, and no more connections than those. */
static void
raise_descriptors(struct options *options)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return;
	if ((rlim_t)options->max_connections + DESCRIPTORS_NOT_FOR_CONNECTIONS <= limit.rlim_cur)
		return;
	options->max_connections = (int64_t)limit.rlim_cur - DESCRIPTORS_NOT_FOR_CONNECTIONS;
	if (options->max_connections < 1)
		options->max_connections = 1;
	log_line(LOG_WARN,
		 log_msg("fewer connections than asked for: too few descriptors (ulimit -n)"),
		 log_number("maxConnections", options->max_connections));
}

static struct event_base *
make_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	event_config_free(config);
	assert(base != NULL);
	return base;
}

static void
init_http(struct http *http, const struct options *options)
{
	int64_t *duration_ms = http->deadlines.duration_ms;

	http->base = make_base();
	http->calls = &routes;
	http->token_expiry = EXPIRY_NEVER;
	http->stats.tls_read = 1;
	http->guard = (struct guard){ options->allow_host.items, options->allow_host.count };
	http->limits = (struct http_limits){
		.message = { (size_t)options->max_header_bytes, (size_t)options->max_target_bytes,
			     (size_t)options->max_body_bytes },
		.pipelined_bytes_max = (size_t)options->max_pipelined_bytes,
		.buffered_bytes_max = (uint64_t)options->max_buffered_bytes,
		.connections_max = (uint64_t)options->max_connections,
		.connections_per_address_max = (size_t)options->max_connections_per_address,
		.requests_per_connection_max = (uint64_t)options->max_requests_per_connection,
		.body_timeout_ms = options->body_timeout_ms,
		.body_rate_min = options->min_body_rate,
	};
	duration_ms[DEADLINE_IDLE] = options->idle_timeout_ms;
	duration_ms[DEADLINE_HEADERS] = options->header_timeout_ms;
	duration_ms[DEADLINE_BODY] =
	    options->body_timeout_ms < BODY_WINDOW_MS ? options->body_timeout_ms : BODY_WINDOW_MS;
	duration_ms[DEADLINE_RESPONSE] = options->response_timeout_ms;
	duration_ms[DEADLINE_LINGER] = options->linger_timeout_ms;
	connections_init(http);
}

static void
init_calls(struct calls *calls, const struct options *options)
{
	init_http(&calls->http, options);
	calls->started_ms = clock_coarse_ms();
	calls->started_wall_ms = clock_now().wall_ms;
	calls->limits = (struct call_limits){
		.batch_events_max = options->max_batch_events,
		.waiters_max = options->max_waiters,
		.streams_max = options->max_streams,
		.stream_buffer_bytes = options->stream_buffer,
		.stream_ping_ms = options->stream_ping_ms,
		.pending_max = options->max_pending,
		.pending_total_max = options->max_pending_total,
		.sessions_max = options->max_sessions,
		.db_bytes_max = options->db_max_bytes,
		.db_free_bytes_min = options->db_min_free_bytes,
		.drop_unknown_delivery = options->compat == COMPAT_OPENCLAW,
		.no_page = options->no_page,
	};
	calls->waits = waits_new();
	calls->streams = streams_new(calls);
	calls->askers = askers_new();
	calls->reload = policy_reload_new();
	calls->backups = backups_new(calls, options->backup_dir);
}

static void
clear_calls(struct calls *calls)
{
	struct http *http = &calls->http;

	listeners_close(&http->listeners);
	connections_close_all(http);
	engine_close(calls->engine);
	waits_free(calls->waits);
	streams_free(calls->streams);
	askers_free(calls->askers);
	policy_reload_free(calls->reload);
	backups_free(calls->backups);
	json_clear(&calls->doc);
	auth_free(http->auth);
	tls_free(http->tls);
	buf_clear(&http->out);
	event_base_free(http->base);
}

/* Sockets that were passed take the place of those of --listen. */
static int
open_listeners(struct loop *loop, struct error *err)
{
	const struct options *options = loop->options;
	struct listeners *listeners = &loop->http->listeners;
	char text[ENDPOINT_TEXT_BYTES];

	listeners->tls = options->tls.cert != NULL;
	if (service_sockets() == 0)
		return listeners_open(listeners, loop->http->base, options->listen.items,
				      options->listen.count, err);
	if (listeners_take(listeners, loop->http->base, FIRST_SOCKET, (size_t)service_sockets(),
			   err) != 0)
		return -1;
	for (size_t i = 0; i < listeners->count; i++) {
		endpoint_format(&listeners->all[i].endpoint, text);
		if (options_check_listener(options, text, &listeners->all[i].endpoint, err) != 0)
			return -1;
	}
	return 0;
}

static enum exit_code
start_and_run(struct loop *loop)
{
	const struct options *options = loop->options;
	struct http *http = loop->http;
	struct error err;
	char *token_file = NULL;
	bool made;
	enum exit_code code = EXIT_OK;

	if (open_engine(loop, &err) != 0 || load_tokens(loop, &token_file, &made, &err) != 0 ||
	    load_tls(loop, &err) != 0)
		code = fail_start(&err);
	else if (open_listeners(loop, &err) != 0) {
		fail_start(&err);
		code = EXIT_CANNOT_LISTEN;
	} else {
		if (runtime_file_write(options->db, &http->listeners, loop->token_file, &err) != 0)
			log_failure(LOG_WARN,
				    "the sevq command will not find this server by itself", &err);
		watch_signals(loop);
		if (!options->no_watch_policy)
			policy_in_force_watch(&loop->policy, http->base);
		listeners_start(&http->listeners);
		service_ready(SERVING);
		if (made)
			log_line(LOG_INFO, log_msg("made a token"), log_text("file", token_file));
		run(loop);
		runtime_file_remove(options->db);
		log_line(LOG_INFO, log_msg("stopped"));
	}
	unwatch_signals(loop);
	policy_in_force_clear(&loop->policy);
	clear_calls(loop->calls);
	free(token_file);
	return code;
}

static enum exit_code
serve(int argc, char **argv, struct options *options)
{
	struct calls calls = { 0 };
	struct loop loop = { .calls = &calls,
			     .http = &calls.http,
			     .options = options,
			     .argc = argc,
			     .argv = argv,
			     .timer_at_ms = INT64_MAX,
			     .stop_at_ms = INT64_MAX };

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk */
	service_begin();
	raise_descriptors(options);
	init_calls(&calls, options);
	calls.policy = &loop.policy;
	return start_and_run(&loop);
}

static void
print(struct buf *text)
{
	fwrite(text->data, 1, text->len, stdout);
	buf_clear(text);
}

static void
print_certificate(const char *file, int64_t expires_ms, struct buf *out)
{
	const time_t expires = (time_t)(expires_ms / 1000);
	struct tm tm;
	char date[32];

	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&expires, &tm));
	buf_addf(out, "tls: %s, expires %s\n", file, date);
}

/* Names the files that were read, then says what was understood. */
static void
print_checked(const struct options *options, const struct policy_source *source,
	      const struct policy *policy, const char *token_file, const struct tls *tls)
{
	struct buf text = { 0 };

	if (options->config != NULL)
		buf_addf(&text, "config: %s\n", options->config);
	for (size_t i = 0; i < source->count; i++)
		buf_addf(&text, "policy: %s\n", source->files[i]);
	if (source->count == 0)
		buf_adds(&text, "policy: none, so the empty one\n");
	if (token_file != NULL)
		buf_addf(&text, "tokens: %s\n", token_file);
	if (tls != NULL)
		print_certificate(options->tls.cert, tls_expires_ms(tls), &text);
	policy_report(policy_summary(policy), &text);
	print(&text);
}

/* Everything that can be checked without making, locking or binding anything. */
static enum exit_code
check_config(const struct options *options)
{
	struct policy_source source = { 0 };
	struct policy *policy = NULL;
	struct auth *auth = NULL;
	struct tls *tls = NULL;
	char *path = options->token_file != NULL ? strdup(options->token_file)
						 : file_beside(options->db, "token");
	struct error err;
	bool has_tokens = options->token_file != NULL || access(path, F_OK) == 0;
	bool failed = policy_file_load(options, &policy, &source, &err) != 0 ||
		      (!options->no_auth && has_tokens && auth_load(path, &auth, &err) != 0) ||
		      (options->tls.cert != NULL && tls_load(&options->tls, &tls, &err) != 0);

	if (!failed)
		print_checked(options, &source, policy, auth != NULL ? path : NULL, tls);
	policy_source_clear(&source);
	policy_free(policy);
	auth_free(auth);
	tls_free(tls);
	free(path);
	return failed ? fail_start(&err) : EXIT_OK;
}

/* The policy's path in place of the default place. */
static void
print_config(struct options *options)
{
	struct buf text = { 0 };
	struct error err;

	if (config_path_find(&options->arena, options->policy, &options->policy, &err) != 0)
		log_failure(LOG_WARN, "the policy cannot be read", &err);
	options_print(options, &text);
	print(&text);
}

static enum exit_code
act(int argc, char **argv, struct options *options)
{
	struct buf text = { 0 };

	switch (options->action) {
	case ACTION_HELP:
		options_help(&text);
		break;
	case ACTION_VERSION:
		buf_adds(&text, "sevqd " SEVQ_VERSION "\n");
		break;
	case ACTION_PRINT_CONFIG:
		print_config(options);
		return EXIT_OK;
	case ACTION_CHECK_CONFIG:
		return check_config(options);
	case ACTION_SERVE:
		return serve(argc, argv, options);
	}
	print(&text);
	return EXIT_OK;
}

int
serve_main(int argc, char **argv)
{
	struct options options = { 0 };
	struct error err;
	enum exit_code code;

	log_configure(LOG_INFO, LOG_AUTO);
	mem_on_exhaustion(exit_without_memory);
	if (options_load(&options, argc, argv, &err) != 0)
		code = fail_start(&err);
	else {
		log_configure((enum log_level)options.log_level,
			      (enum log_format)options.log_format);
		code = act(argc, argv, &options);
	}
	options_clear(&options);
	return (int)code;
}
