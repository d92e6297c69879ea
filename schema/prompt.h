/*
 * prompt.h - events as lines of a prompt (ROUTING section 8).
 *
 * Here: which events stay in the queue, which are left out of the text, and the lines of the
 * others. Pure, except that the process's time zone is changed while lines are written (zone.h).
 * Not here: taking events (queue/), JSON.
 */
#ifndef SCHEMA_PROMPT_H
#define SCHEMA_PROMPT_H

#include "schema/mem.h"
#include "schema/text.h"

/* What a prompt does with an event, by its text and context key. Stored: append only. */
enum prompt_kind {
	PROMPT_LINES = 0, /* the event is taken and shown */
	/*
	 * An exec completion stays in the queue, because OpenClaw's runner relays it in its own way
	 * ("exec finished: ...", "Exec completed (id, code 0) :: output", "Exec failed (id, signal
	 * SIGKILL)"; any case).
	 */
	PROMPT_EXEC_COMPLETION = 1,
	/* A heartbeat's notice about itself is taken and left out of the text. */
	PROMPT_LEFT_OUT = 2,
};
enum prompt_kind prompt_kind(struct str text, struct str context_key);

struct prompt_event {
	struct str text, context_key; /* context_key NULL: none */
	int64_t ts_ms;
	bool left_out; /* set by prompt_write: the event has no lines */
};

/*
 * Appends the lines of the events, joined by LF. Returns false when no event has lines. zone is
 * agents.defaults.userTimezone, or NULL, as zone_enter takes it.
 */
bool prompt_write(struct buf *out, struct prompt_event *events, size_t count, struct str zone);

#endif
