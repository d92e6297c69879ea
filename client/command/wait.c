/*
 * sevq wait, tail - waits until there is something to take, and reports which sessions have it.
 */
#include <stdlib.h>

#include "client/command/backoff.h"
#include "client/command/command.h"
#include "client/command/memory.h"
#include "client/command/say.h"
#include "client/command/table.h"

#define WAIT_MS_DEFAULT 30000
#define WAIT_MS_MAX (5 * 60 * 1000) /* of one call; a longer wait is several calls */

enum sevq_exit
sevq_run_wait(struct sevq_client *client, struct sevq_options *options)
{
	int64_t left_ms = options->timeout_ms != 0 ? options->timeout_ms : WAIT_MS_DEFAULT, part_ms;
	struct sevq_wait_options wanted;
	struct sevq_readiness *readiness;
	bool ready = false;

	if (!sevq_take_key_argument(options))
		return SEVQ_EXIT_USAGE;
	sevq_wait_options_init(&wanted);
	wanted.context_key_prefix = options->context_key_prefix;
	wanted.prompt = options->prompt;
	wanted.exclusive = options->exclusive;
	wanted.wake_now = options->wake == SEVQ_WAKE_NOW;
	for (; !ready && left_ms > 0; left_ms -= part_ms) {
		part_ms = left_ms < WAIT_MS_MAX ? left_ms : WAIT_MS_MAX;
		if (sevq_wait_for(client, &options->address, &wanted, part_ms, &readiness) !=
		    SEVQ_OK)
			return sevq_report(client);
		ready = readiness->ready;
		if (ready && !options->json)
			sevq_say(stdout, "%zu in %s", readiness->depth, readiness->session_key);
		sevq_free(readiness);
	}
	if (options->json)
		sevq_print_json(client);
	return ready ? SEVQ_EXIT_DONE : SEVQ_EXIT_NOTHING;
}

struct tail {
	struct sevq_options *options;
	struct sevq_backoff backoff;
	char *last_id; /* of the last wakeup; NULL: none yet */
	int64_t wakeup_count;
};

/* "2026-11-22T17:04:05Z  agent:main:main  2 waiting  exec-event  now" */
static void
print_wakeup(const struct sevq_wakeup *wakeup)
{
	char time[SEVQ_TIME_BYTES];

	sevq_say(stdout, "%s  %s  %zu waiting  %s  %s", sevq_time_text(wakeup->ts_ms, time),
		 wakeup->session_key, wakeup->depth, wakeup->source != NULL ? wakeup->source : "-",
		 wakeup->wake);
}

static bool
on_wakeup(const struct sevq_wakeup *wakeup, void *arg)
{
	struct tail *tail = arg;

	free(tail->last_id);
	tail->last_id = sevq_allocated(strdup(wakeup->id));
	sevq_backoff_reset(&tail->backoff);
	if (tail->options->json)
		sevq_say_json(stdout, wakeup->json);
	else
		print_wakeup(wakeup);
	tail->wakeup_count++;
	return fflush(stdout) == 0 && tail->wakeup_count != tail->options->limit;
}

/*
 * Reads the stream until --limit wakeups have come. It reconnects when the connection is lost, but
 * a server that cannot be reached at the start is a failure.
 */
static enum sevq_exit
read_stream(struct sevq_client *client, struct tail *tail)
{
	struct sevq_stream_options stream;
	bool first;

	sevq_stream_options_init(&stream);
	stream.address = tail->options->address;
	stream.prefix = tail->options->prefix;
	for (;;) {
		stream.last_event_id = tail->last_id;
		if (sevq_stream(client, &stream, on_wakeup, tail) == SEVQ_OK)
			return SEVQ_EXIT_DONE;
		first = tail->backoff.count == 0 && tail->wakeup_count == 0;
		if (!sevq_backoff_may_help(client) ||
		    (first && sevq_error_code(client) == SEVQ_UNREACHABLE))
			return sevq_report(client);
		sevq_sleep(sevq_backoff_fail(&tail->backoff, client));
	}
}

enum sevq_exit
sevq_run_tail(struct sevq_client *client, struct sevq_options *options)
{
	struct tail tail = { .options = options };
	enum sevq_exit result;

	if (!sevq_take_optional_key(options))
		return SEVQ_EXIT_USAGE;
	result = read_stream(client, &tail);
	free(tail.last_id);
	return result;
}
