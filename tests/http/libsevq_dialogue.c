/*
 * libsevq_dialogue.c - a program as users of libsevq write it, for test_libsevq.py.
 *
 * It knows the public header only and finds its server by itself. Each argument is one call on one context, answered by
 * one line: the call, how it ended, the HTTP status. "tour" makes every call there is and checks what comes back;
 * "threads" lets four threads enqueue at once, each with a context of its own.
 */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <sevq.h>

#define THREADS 4
#define EVENTS_PER_THREAD 50

static const struct sevq_address direct = { .session_key = "agent:main:telegram:default:direct:123" };
static const struct sevq_address main_key = { .session_key = "agent:main:main" };

static void
expect(const struct sevq_client *client, enum sevq_code got, enum sevq_code want)
{
	if (got != want)
		fprintf(stderr, "%s, not %s: %s\n", sevq_code_name(got), sevq_code_name(want), sevq_error_message(client));
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
	assert(strcmp(receipt->event->delivery->thread_id, "7") == 0 && receipt->event->delivery->to == NULL);
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
	drafts[0].address.agent_id = "main"; /* alone: its main session */
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
	assert(sevq_http_status(client) == 400 && strstr(sevq_error_message(client), "/events/1/text") != NULL);
}

static void
tour_of_looking(struct sevq_client *client)
{
	struct sevq_sessions_options filter;
	struct sevq_sessions *sessions;
	struct sevq_decision *decision;
	struct sevq_events *events;
	struct sevq_story *story;
	char *stats;

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
	assert(strcmp(decision->session_key, main_key.session_key) == 0 && decision->rekeyed && decision->step_count > 0);
	assert(strcmp(decision->owner, "main") == 0);
	sevq_free(decision);

	expect(client, sevq_stats(client, &stats), SEVQ_OK);
	assert(stats[0] == '{' && strcmp(stats, sevq_last_answer(client, NULL)) == 0);
	sevq_free(stats);
}

static void
tour_of_taking(struct sevq_client *client)
{
	struct sevq_drain_options prefix;
	struct sevq_events *events;
	struct sevq_event *event;
	struct sevq_receipt *receipt;
	struct sevq_purged *purged;
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
	assert(events->count == 1 && events->remaining == 1 && strcmp(events->events[0]->text, "three") == 0);
	sevq_free(events);

	expect(client, sevq_peek(client, &main_key, 0, NULL, &events), SEVQ_OK);
	ids[1] = events->events[0]->id;
	sevq_free(events); /* and with it the id */
	expect(client, enqueue(client, "four", &receipt), SEVQ_OK);
	ids[1] = receipt->event->id;
	expect(client, sevq_consume(client, &main_key, ids, 2, &events), SEVQ_OK);
	assert(events->count == 1 && strcmp(events->events[0]->text, "four") == 0 && events->remaining == 1);
	sevq_free(events);
	sevq_free(receipt);

	expect(client, sevq_purge(client, &direct, "nothing has it", &purged), SEVQ_OK);
	assert(purged->purged == 0 && purged->remaining == 1);
	sevq_free(purged);
	expect(client, sevq_purge(client, &direct, NULL, &purged), SEVQ_OK);
	assert(purged->purged == 1 && purged->remaining == 0 && strcmp(purged->session_key, main_key.session_key) == 0);
	sevq_free(purged);
	expect(client, sevq_drain(client, &main_key, NULL, &events), SEVQ_OK);
	assert(events->count == 0 && events->remaining == 0);
	sevq_free(events);
	expect(client, sevq_drain(client, NULL, NULL, NULL), SEVQ_INVALID_FIELD); /* no address at all */
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

/* One call by its name. */
static enum sevq_code
call(struct sevq_client *client, const char *name)
{
	if (strcmp(name, "enqueue") == 0)
		return enqueue(client, "x", NULL);
	if (strcmp(name, "drain") == 0)
		return sevq_drain(client, &direct, NULL, NULL);
	if (strcmp(name, "peek") == 0)
		return sevq_peek(client, &direct, 0, NULL, NULL);
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
	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "tour") == 0) {
			tour_of_enqueue(client);
			tour_of_batches(client);
			tour_of_looking(client);
			tour_of_taking(client);
		} else if (strcmp(argv[i], "threads") == 0) {
			run_threads();
		} else {
			code = call(client, argv[i]);
			printf("%s %s %d %ld %s\n", argv[i], sevq_code_name(code), sevq_http_status(client),
			       sevq_retry_after(client), sevq_error_message(client));
		}
	}
	sevq_close(client);
	return 0;
}
