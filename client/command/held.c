/*
 * held.c - says why a queue has events that cannot be taken.
 *
 * It asks the server, for people only. What the token may not read is left out.
 */
#include "client/command/held.h"

#include <stdlib.h>

#include "client/buffer.h"
#include "client/command/memory.h"
#include "client/command/say.h"
#include "client/command/table.h"

#define PEEK_MOST 1000

/* "3 delayed, the first until 2026-11-22T17:04:05Z" */
static void
add_delayed(struct sevq_client *client, const char *queue_key, size_t delayed,
	    struct sevq_buffer *line)
{
	struct sevq_address address = { .queue_key = queue_key };
	struct sevq_events *events;
	char until[SEVQ_TIME_BYTES];
	int64_t first_ms = 0;
	size_t i;

	sevq_buffer_addf(line, "%zu delayed", delayed);
	if (sevq_peek(client, &address, PEEK_MOST, NULL, &events) != SEVQ_OK)
		return;
	for (i = 0; i < events->count; i++) {
		const struct sevq_event *event = events->events[i];

		if (event->state != NULL && strcmp(event->state, "delayed") == 0 &&
		    (first_ms == 0 || event->available_at_ms < first_ms))
			first_ms = event->available_at_ms;
	}
	if (first_ms != 0)
		sevq_buffer_addf(line, "%s until %s", delayed > 1 ? ", the first" : "",
				 sevq_time_text(first_ms, until));
	sevq_free(events);
}

/* "2 leased by bob until 2026-11-22T17:04:05Z", for each lease. */
static void
add_leased(struct sevq_client *client, const char *queue_key, size_t leased,
	   struct sevq_buffer *line)
{
	struct sevq_leases_options options;
	struct sevq_leases *leases;
	char until[SEVQ_TIME_BYTES];
	size_t i;

	sevq_leases_options_init(&options);
	options.queue_key = queue_key;
	if (sevq_leases(client, &options, &leases) != SEVQ_OK) {
		sevq_buffer_addf(line, "%s%zu leased", line->len > 0 ? ", " : "", leased);
		return;
	}
	for (i = 0; i < leases->count; i++) {
		const struct sevq_holding *lease = leases->leases[i];

		sevq_buffer_addf(line, "%s%zu leased%s%s until %s", line->len > 0 ? ", " : "",
				 lease->leased, lease->consumer != NULL ? " by " : "",
				 lease->consumer != NULL ? lease->consumer : "",
				 sevq_time_text(lease->expires_at_ms, until));
	}
	if (leases->next_cursor != NULL)
		sevq_buffer_addf(line, ", and more");
	sevq_free(leases);
}

char *
sevq_held_text(struct sevq_client *client, const char *queue_key)
{
	struct sevq_sessions_options options;
	struct sevq_sessions *sessions;
	struct sevq_buffer line = { 0 };

	sevq_sessions_options_init(&options);
	options.queue_key = queue_key;
	if (sevq_sessions(client, &options, &sessions) != SEVQ_OK)
		return NULL;
	if (sessions->count > 0 && sessions->sessions[0]->delayed > 0)
		add_delayed(client, queue_key, sessions->sessions[0]->delayed, &line);
	if (sessions->count > 0 && sessions->sessions[0]->leased > 0)
		add_leased(client, queue_key, sessions->sessions[0]->leased, &line);
	sevq_free(sessions);
	return line.len > 0 || line.failed ? sevq_allocated(sevq_buffer_take(&line)) : NULL;
}

void
sevq_say_nothing(struct sevq_client *client, const char *what, const char *queue_key,
		 size_t remaining)
{
	char *key = sevq_allocated(strdup(queue_key)); /* of an answer that may be gone by then */
	char *held = remaining > 0 ? sevq_held_text(client, key) : NULL;

	if (held != NULL)
		sevq_say(stderr, "%s %s: %s", what, key, held);
	else if (remaining > 0)
		sevq_say(stderr, "%s %s: %zu delayed, leased or of another kind", what, key,
			 remaining);
	else
		sevq_say(stderr, "%s %s", what, key);
	free(held);
	free(key);
}
