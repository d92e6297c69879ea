/*
 * prompt.h - events as lines of a prompt (ROUTING section 8).
 *
 * Here: which events a prompt leaves in the queue or out of the text, and the lines of the others.
 * Pure but for the time zone (zone.h), which is the process's own while lines are written.
 * Not here: taking events (queue/), JSON.
 */
#ifndef SCHEMA_PROMPT_H
#define SCHEMA_PROMPT_H

#include "schema/mem.h"
#include "schema/text.h"

/*
 * An exec completion, by its text: a prompt does not take it from the queue, because OpenClaw's
 * runner relays it in its own way ("exec finished: ...", "Exec completed (id, code 0) :: output",
 * "Exec failed (id, signal SIGKILL)"; any case).
 */
bool prompt_is_exec_completion(struct str text);

struct prompt_event {
	struct str text, context_key; /* context_key NULL: none */
	int64_t ts_ms;
};

/*
 * Appends the lines of the events, joined by LF. Those that are noise are left out; false when
 * nothing was left to say. zone: agents.defaults.userTimezone, or NULL; what it means is
 * zone_enter's.
 */
bool prompt_write(struct buf *out, const struct prompt_event *events, size_t count,
		  struct str zone);

#endif
