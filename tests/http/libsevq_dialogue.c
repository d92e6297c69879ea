/*
 * libsevq_dialogue.c - a program that uses libsevq, for test_libsevq.py.
 *
 * It includes the public header only and lets the library find the server. Each argument is one
 * call on one context, answered by one line: the call, how it ended, the HTTP status. "tour" makes
 * every call and checks the results; "threads" lets four threads enqueue at once, each with its own
 * context. SIGUSR1 interrupts the context, and so does "interrupt", in another thread.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sevq.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define THREADS 4
#define EVENTS_PER_THREAD 50

static const struct sevq_address direct = { .session_key =
						"agent:main:telegram:default:direct:123" };
static const struct sevq_address main_key = { .session_key = "agent:main:main" };

static void
expect(const struct sevq_client *client, enum sevq_code got, enum sevq_code want)
{
	if (got != want)
		fprintf(stderr, "%s, not %s: %s\n", sevq_code_name(got), sevq_code_name(want),
			sevq_error_message(client));
	assert(got == want && sevq_error_code(client) == got);
	assert((got == SEVQ_OK) == (sevq_error_message(client)[0] == '\0'));
}

static enum sevq_code
enqueue(struct sevq_client *client, const char *text, struct sevq_receipt **ret)
{
	struct sevq_draft draft;

	sevq_draft_init(&draft);
	draft.address = direct;
	draft.text = text;
	draft.source = "exec-event";
	draft.delivery.channel = "telegram";
	draft.delivery.thread_id = "7";
	return sevq_enqueue(client, &draft, ret);
}

static void
tour_of_enqueue(struct sevq_client *client)
{
	struct sevq_receipt *receipt;

	expect(client, enqueue(client, "one \xc3\xa9\n\"two\"", &receipt), SEVQ_OK);
	assert(sevq_http_status(client) == 201 && receipt->outcome == SEVQ_OUTCOME_QUEUED);
	assert(strcmp(receipt->event->session_key, main_key.session_key) == 0);
	assert(strcmp(receipt->event->original_session_key, direct.session_key) == 0);
	assert(strcmp(receipt->event->rule, "direct-main") == 0);
	assert(strcmp(receipt->event->text, "one \xc3\xa9\n\"two\"") == 0);
	assert(strcmp(receipt->event->delivery->thread_id, "7") == 0 &&
	       receipt->event->delivery->to == NULL);
	assert(receipt->event->context_key == NULL && receipt->event->ts_ms > 1600000000000);
	sevq_free(receipt);

	expect(client, enqueue(client, "one \xc3\xa9\n\"two\"", &receipt), SEVQ_OK);
	assert(sevq_http_status(client) == 200 && receipt->outcome == SEVQ_OUTCOME_DUPLICATE);
	sevq_free(receipt);
}

static void
tour_of_batches(struct sevq_client *client)
{
	struct sevq_receipts *receipts;
	struct sevq_draft drafts[2];

	sevq_draft_init(&drafts[0]);
	sevq_draft_init(&drafts[1]);
	drafts[0].address.agent_id = "main"; /* without a key: its main session */
	drafts[1].address = main_key;
	drafts[0].text = "two";
	drafts[0].context_key = "c";
	drafts[0].wake = SEVQ_WAKE_NOW;
	drafts[1].text = "three";
	drafts[1].context_key = "c";
	drafts[1].replace = true;
	expect(client, sevq_enqueue_batch(client, drafts, 2, &receipts), SEVQ_OK);
	assert(receipts->count == 2 && receipts->receipts[0]->outcome == SEVQ_OUTCOME_QUEUED);
	assert(receipts->receipts[1]->outcome == SEVQ_OUTCOME_REPLACED);
	assert(strcmp(receipts->receipts[0]->event->wake, "now") == 0);
	sevq_free(receipts);

	drafts[1].text = "  ";
	expect(client, sevq_enqueue_batch(client, drafts, 2, NULL), SEVQ_INVALID_FIELD);
	assert(sevq_http_status(client) == 400 &&
	       strstr(sevq_error_message(client), "event 2: text") != NULL);
}

static void
tour_of_reads(struct sevq_client *client)
{
	struct sevq_sessions_options filter;
	struct sevq_sessions *sessions;
	struct sevq_decision *decision;
	struct sevq_events *events;
	struct sevq_story *story;

	expect(client, sevq_peek(client, &main_key, 1, NULL, &events), SEVQ_OK);
	assert(events->count == 1 && events->depth == 2 && events->more);
	expect(client, sevq_find(client, events->events[0]->id, &story), SEVQ_OK);
	assert(strcmp(story->event->text, events->events[0]->text) == 0);
	assert(story->timeline_count == 1 && strcmp(story->timeline[0]->what, "queued") == 0);
	assert(strcmp(story->timeline[0]->original_session_key, direct.session_key) == 0);
	sevq_free(story);
	sevq_free(events);

	sevq_sessions_options_init(&filter);
	filter.prefix = "agent:main:";
	filter.sort = "depth";
	expect(client, sevq_sessions(client, &filter, &sessions), SEVQ_OK);
	assert(sessions->count == 1 && sessions->total == 1 && sessions->next_cursor == NULL);
	assert(sessions->sessions[0]->depth == 2 && sessions->sessions[0]->rekeyed_from_count == 1);
	assert(strcmp(sessions->sessions[0]->rekeyed_from[0]->key, direct.session_key) == 0);
	assert(strcmp(sessions->sessions[0]->last_context_key, "c") == 0);
	sevq_free(sessions);
	filter.sort = "nonsense";
	expect(client, sevq_sessions(client, &filter, NULL), SEVQ_INVALID_FIELD);

	expect(client, sevq_route(client, &direct, &decision), SEVQ_OK);
	assert(strcmp(decision->session_key, main_key.session_key) == 0 && decision->rekeyed &&
	       decision->step_count > 0);
	assert(strcmp(decision->owner, "main") == 0);
	sevq_free(decision);
}

static void
tour_of_the_server(struct sevq_client *client)
{
	char *json;

	expect(client, sevq_backup(client, "dialogue", NULL), SEVQ_CONFLICT);
	expect(client, sevq_backup(client, NULL, &json), SEVQ_OK);
	assert(strstr(json, "\"backup\":null") != NULL);
	sevq_free(json);
	expect(client, sevq_page_code(client, NULL, &json), SEVQ_OK);
	assert(strstr(json, "\"code\":\"") != NULL);
	sevq_free(json);
	expect(client, sevq_ready(client), SEVQ_OK);
	expect(client, sevq_server_version(client, &json), SEVQ_OK);
	assert(strncmp(json, "{\"version\":\"", 12) == 0);
	sevq_free(json);
	expect(client, sevq_whoami(client, &json), SEVQ_OK);
	assert(strstr(json, "\"scopes\":[\"produce\"") != NULL);
	sevq_free(json);
	expect(client, sevq_stats(client, &json), SEVQ_OK);
	assert(json[0] == '{' && strcmp(json, sevq_last_answer(client, NULL)) == 0);
	sevq_free(json);
}

static void
tour_of_removals(struct sevq_client *client)
{
	struct sevq_drain_options prefix;
	struct sevq_events *events;
	struct sevq_event *event;
	struct sevq_receipt *receipt;
	struct sevq_purged *purged;
	struct sevq_address exact = { .queue_key = direct.session_key };
	const char *ids[2] = { "999999999999", NULL };

	expect(client, enqueue(client, "to be withdrawn", &receipt), SEVQ_OK);
	expect(client, sevq_withdraw(client, receipt->event->id, &event), SEVQ_OK);
	assert(strcmp(event->text, "to be withdrawn") == 0);
	sevq_free(event);
	expect(client, sevq_withdraw(client, receipt->event->id, NULL), SEVQ_NOT_FOUND);
	sevq_free(receipt);

	sevq_drain_options_init(&prefix);
	prefix.context_key_prefix = "c";
	prefix.limit = 5;
	expect(client, sevq_drain(client, &direct, &prefix, &events), SEVQ_OK);
	assert(events->count == 1 && events->remaining == 1 &&
	       strcmp(events->events[0]->text, "three") == 0);
	sevq_free(events);

	expect(client, sevq_peek(client, &main_key, 0, NULL, &events), SEVQ_OK);
	ids[1] = events->events[0]->id;
	sevq_free(events); /* the id is freed with the answer */
	expect(client, enqueue(client, "four", &receipt), SEVQ_OK);
	ids[1] = receipt->event->id;
	expect(client, sevq_consume(client, &main_key, ids, 2, &events), SEVQ_OK);
	assert(events->count == 1 && strcmp(events->events[0]->text, "four") == 0 &&
	       events->remaining == 1);
	sevq_free(events);
	sevq_free(receipt);

	expect(client, sevq_purge(client, &direct, NULL, &purged), SEVQ_REROUTED);
	expect(client, sevq_purge(client, &main_key, "nothing has it", &purged), SEVQ_OK);
	assert(purged->purged == 0 && purged->remaining == 1);
	sevq_free(purged);
	expect(client, sevq_purge(client, &exact, NULL, &purged), SEVQ_OK);
	assert(purged->purged == 0 && strcmp(purged->session_key, exact.queue_key) == 0);
	sevq_free(purged);
	expect(client, sevq_purge(client, &main_key, NULL, &purged), SEVQ_OK);
	assert(purged->purged == 1 && purged->remaining == 0 &&
	       strcmp(purged->session_key, main_key.session_key) == 0);
	sevq_free(purged);
	expect(client, sevq_drain(client, &main_key, NULL, &events), SEVQ_OK);
	assert(events->count == 0 && events->remaining == 0);
	sevq_free(events);
	/* without an address */
	expect(client, sevq_drain(client, NULL, NULL, NULL), SEVQ_INVALID_FIELD);
}

static void
tour_of_leases(struct sevq_client *client)
{
	struct sevq_lease_options options;
	struct sevq_nack_options nack;
	struct sevq_lease_change *change;
	struct sevq_lease *lease, *again;
	struct sevq_readiness *ready;
	const char *first[1];

	expect(client, sevq_wait(client, &direct, 0, &ready), SEVQ_OK);
	assert(!ready->ready && ready->depth == 0 &&
	       strcmp(ready->session_key, main_key.session_key) == 0);
	sevq_free(ready);
	expect(client, sevq_lease(client, &main_key, NULL, &lease), SEVQ_OK);
	assert(lease->lease_id == NULL && lease->count == 0 && lease->expires_at_ms == 0);
	sevq_free(lease);
	expect(client, enqueue(client, "five", NULL), SEVQ_OK);
	expect(client, enqueue(client, "six", NULL), SEVQ_OK);
	expect(client, sevq_wait(client, &direct, 300000, &ready), SEVQ_OK);
	assert(ready->ready && ready->depth == 2);
	sevq_free(ready);

	sevq_lease_options_init(&options);
	options.limit = 5;
	options.lease_ms = 30000;
	options.consumer = "dialogue";
	options.prompt = true;
	options.idempotency_key = "with \"quotes\" and \\";
	expect(client, sevq_lease(client, &main_key, &options, &lease), SEVQ_OK);
	assert(lease->count == 2 && lease->remaining == 0 &&
	       strstr(lease->block, "] five\nSystem: [") != NULL);
	/* the same answer, no second lease */
	expect(client, sevq_lease(client, &main_key, &options, &again), SEVQ_OK);
	assert(strcmp(again->lease_id, lease->lease_id) == 0 && again->count == 2);
	sevq_free(again);
	options.limit = 4;
	expect(client, sevq_lease(client, &main_key, &options, NULL), SEVQ_IDEMPOTENCY_MISMATCH);

	first[0] = lease->events[0]->id;
	expect(client, sevq_extend(client, lease->lease_id, NULL, 0, 60000, &change), SEVQ_OK);
	assert(change->changed == 2 && change->remaining == 2 &&
	       change->expires_at_ms > lease->expires_at_ms);
	sevq_free(change);
	expect(client, sevq_ack(client, lease->lease_id, first, 1, &change), SEVQ_OK);
	assert(change->changed == 1 && change->remaining == 1 &&
	       strcmp(change->lease_id, lease->lease_id) == 0);
	sevq_free(change);
	sevq_nack_options_init(&nack);
	nack.reason = "not yet";
	nack.do_not_count = true;
	expect(client, sevq_nack(client, lease->lease_id, NULL, 0, &nack, &change), SEVQ_OK);
	assert(change->changed == 1 && change->dead == 0 && change->remaining == 0);
	sevq_free(change);
	expect(client, sevq_nack(client, lease->lease_id, NULL, 0, NULL, NULL), SEVQ_CONFLICT);
	expect(client, sevq_ack(client, "999999", NULL, 0, NULL), SEVQ_NOT_FOUND);
	sevq_free(lease);
}

static bool
record_wakeup(const struct sevq_wakeup *wakeup, void *arg)
{
	size_t *depth = arg;

	assert(wakeup->id[0] != '\0' && wakeup->json[0] == '{' &&
	       strcmp(wakeup->session_key, main_key.session_key) == 0);
	*depth = wakeup->depth;
	return false;
}

static void
tour_of_history(struct sevq_client *client)
{
	struct sevq_history_options filter;
	struct sevq_stream_options stream;
	struct sevq_history *history;
	struct sevq_story *story;
	size_t depth = 0;

	sevq_stream_options_init(&stream);
	stream.address = direct;
	expect(client, sevq_stream(client, &stream, record_wakeup, &depth), SEVQ_OK);
	assert(depth == 1);
	expect(client, sevq_purge(client, &main_key, NULL, NULL), SEVQ_OK);

	sevq_history_options_init(&filter);
	filter.address = direct;
	filter.state = "acked";
	filter.source = "exec-event";
	filter.since_ms = 1;
	filter.limit = 1;
	expect(client, sevq_history(client, &filter, &history), SEVQ_OK);
	assert(history->count == 1 && history->next_cursor == NULL &&
	       strcmp(history->events[0]->event->text, "five") == 0);
	assert(strcmp(history->events[0]->outcome->what, "acked") == 0 &&
	       history->events[0]->outcome->lease_id != NULL);
	expect(client, sevq_find(client, history->events[0]->event->id, &story), SEVQ_OK);
	assert(story->timeline_count == 4 && strcmp(story->timeline[1]->what, "leased") == 0 &&
	       story->timeline[1]->until_ms > 0);
	sevq_free(story);
	sevq_free(history);
}

static void
tour_of_dead_letters(struct sevq_client *client)
{
	struct sevq_requeue_options requeue;
	struct sevq_discard_options discard;
	struct sevq_rekey_options rekey;
	struct sevq_requeued *requeued;
	struct sevq_discarded *discarded;
	struct sevq_rekeyed *rekeyed;
	struct sevq_history *history;
	const char *ids[1] = { "999999" };

	expect(client, sevq_dead_letters(client, &main_key, NULL, 5, NULL, &history), SEVQ_OK);
	assert(history->count == 0);
	sevq_free(history);
	sevq_requeue_options_init(&requeue);
	requeue.ids = ids;
	requeue.id_count = 1;
	requeue.dry_run = true;
	expect(client, sevq_requeue(client, &requeue, &requeued), SEVQ_OK);
	assert(requeued->requeued == 0 && requeued->passed_over == 1 && !requeued->more &&
	       requeued->dry_run);
	sevq_free(requeued);
	sevq_discard_options_init(&discard);
	discard.ids = ids;
	discard.id_count = 1;
	discard.dry_run = true;
	expect(client, sevq_discard(client, &discard, &discarded), SEVQ_OK);
	assert(discarded->discarded == 0 && discarded->passed_over == 1 && !discarded->more &&
	       discarded->dry_run);
	sevq_free(discarded);
	sevq_rekey_options_init(&rekey);
	rekey.limit = 5;
	expect(client, sevq_rekey(client, &rekey, &rekeyed), SEVQ_OK);
	assert(rekeyed->moved == 0 && rekeyed->count == 0 && !rekeyed->more && !rekeyed->dry_run);
	sevq_free(rekeyed);
}

/*
 * Prints each wakeup of a stream, stops at one with depth 8, and shows that the context is busy
 * meanwhile.
 */
static bool
print_wakeup(const struct sevq_wakeup *wakeup, void *arg)
{
	printf("wakeup %s %s %zu\n", wakeup->id, wakeup->session_key, wakeup->depth);
	fflush(stdout);
	if (wakeup->depth == 7)
		sevq_interrupt(arg);
	if (wakeup->depth == 8)
		assert(sevq_stats(arg, NULL) == SEVQ_INVALID_ARGUMENT);
	return wakeup->depth < 8;
}

static enum sevq_code
listen_to_stream(struct sevq_client *client)
{
	struct sevq_stream_options options;

	sevq_stream_options_init(&options);
	options.silence_ms = getenv("SILENCE_MS") != NULL ? atol(getenv("SILENCE_MS")) : 0;
	options.last_event_id = getenv("LAST_EVENT_ID");
	return sevq_stream(client, &options, print_wakeup, client);
}

static void *
enqueue_many(void *arg)
{
	struct sevq_client *client;
	enum sevq_code code = sevq_connect(NULL, &client);
	char text[64];
	int i;

	expect(client, code, SEVQ_OK);
	for (i = 0; i < EVENTS_PER_THREAD; i++) {
		snprintf(text, sizeof(text), "%s %d", (const char *)arg, i);
		expect(client, enqueue(client, text, NULL), SEVQ_OK);
	}
	sevq_close(client);
	return NULL;
}

static void
run_threads(void)
{
	static char names[THREADS][2] = { "a", "b", "c", "d" };
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		assert(pthread_create(&threads[i], NULL, enqueue_many, names[i]) == 0);
	for (i = 0; i < THREADS; i++)
		assert(pthread_join(threads[i], NULL) == 0);
}

/* Whom SIGUSR1 interrupts. */
static struct sevq_client *interrupted;

/* NOLINTBEGIN(bugprone-signal-handler): whether sevq_interrupt is safe here is what is tested */
static void
on_signal(int number)
{
	(void)number;
	errno = EBUSY;
	sevq_interrupt(interrupted);
	assert(errno == EBUSY);
}
/* NOLINTEND(bugprone-signal-handler) */

static void *
interrupt_twice(void *client)
{
	sevq_interrupt(client);
	sevq_interrupt(client);
	return NULL;
}

struct interruption {
	struct sevq_client *client;
	struct timespec at;
};

/* Interrupts when libcurl has settled to a poll of a second. */
static void *
interrupt_soon(void *arg)
{
	struct interruption *interruption = arg;

	nanosleep(&(struct timespec){ .tv_nsec = 400000000 }, NULL);
	clock_gettime(CLOCK_MONOTONIC, &interruption->at);
	sevq_interrupt(interruption->client);
	return NULL;
}

/* Several waits, each interrupted by a thread. The fastest shows whether the poll is woken. */
static void
interrupt_waits(struct sevq_client *client)
{
	struct interruption interruption = { .client = client };
	double took_s, least_s = 1;
	struct timespec ended;
	pthread_t thread;
	int i;

	for (i = 0; i < 4; i++) {
		assert(pthread_create(&thread, NULL, interrupt_soon, &interruption) == 0);
		expect(client, sevq_wait(client, &direct, 300000, NULL), SEVQ_INTERRUPTED);
		clock_gettime(CLOCK_MONOTONIC, &ended);
		assert(pthread_join(thread, NULL) == 0);
		took_s = (double)(ended.tv_sec - interruption.at.tv_sec) +
			 (double)(ended.tv_nsec - interruption.at.tv_nsec) / 1e9;
		least_s = took_s < least_s ? took_s : least_s;
	}
	assert(least_s < 0.1);
}

static enum sevq_code
interrupt_in_thread(struct sevq_client *client)
{
	pthread_t thread;

	assert(pthread_create(&thread, NULL, interrupt_twice, client) == 0);
	assert(pthread_join(thread, NULL) == 0);
	return SEVQ_OK;
}

/* Makes one call, given by its name. */
static enum sevq_code
call(struct sevq_client *client, const char *name)
{
	if (strcmp(name, "enqueue") == 0)
		return enqueue(client, "x", NULL);
	if (strcmp(name, "drain") == 0)
		return sevq_drain(client, &direct, NULL, NULL);
	if (strcmp(name, "peek") == 0)
		return sevq_peek(client, &direct, 0, NULL, NULL);
	if (strcmp(name, "wait") == 0)
		return sevq_wait(client, &direct, 400, NULL);
	if (strcmp(name, "long-wait") == 0)
		return sevq_wait(client, &direct, 300000, NULL);
	if (strcmp(name, "interrupt") == 0)
		return interrupt_in_thread(client);
	if (strcmp(name, "ack") == 0)
		return sevq_ack(client, "7", NULL, 0, NULL);
	if (strcmp(name, "nack") == 0)
		return sevq_nack(client, "7", NULL, 0, NULL, NULL);
	if (strcmp(name, "stream") == 0)
		return listen_to_stream(client);
	assert(strcmp(name, "stats") == 0);
	return sevq_stats(client, NULL);
}

int
main(int argc, char **argv)
{
	struct sevq_connect_options options;
	struct sevq_client *client;
	enum sevq_code code;
	int i;

	sevq_connect_options_init(&options);
	options.timeout_ms = getenv("TIMEOUT_MS") != NULL ? atol(getenv("TIMEOUT_MS")) : 0;
	code = sevq_connect(&options, &client);
	expect(client, code, SEVQ_OK);
	interrupted = client;
	signal(SIGUSR1, on_signal);
	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "tour") == 0) {
			tour_of_enqueue(client);
			tour_of_batches(client);
			tour_of_reads(client);
			tour_of_the_server(client);
			tour_of_removals(client);
			tour_of_leases(client);
			tour_of_history(client);
			tour_of_dead_letters(client);
		} else if (strcmp(argv[i], "threads") == 0) {
			run_threads();
		} else if (strcmp(argv[i], "interrupt-waits") == 0) {
			interrupt_waits(client);
		} else {
			code = call(client, argv[i]);
			printf("%s %s %d %ld %s\n", argv[i], sevq_code_name(code),
			       sevq_http_status(client), sevq_retry_after(client),
			       sevq_error_message(client));
			fflush(stdout);
		}
	}
	signal(SIGUSR1, SIG_IGN);
	sevq_interrupt(NULL);
	sevq_close(client);
	return 0;
}
