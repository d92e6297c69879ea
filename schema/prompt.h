/*
 * prompt.h - events as lines of a prompt (ROUTING section 8).
 *
 * Here: which events stay in the queue, which are left out of the text, and the lines of the
 * others. Not here: taking events (queue/), the rest of an answer (server/calls/).
 */
#ifndef SCHEMA_PROMPT_H
#define SCHEMA_PROMPT_H

#include "schema/mem.h"
#include "schema/text.h"

struct zone;

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
	/* An exec completion that is left out of the text where it is taken all the same. */
	PROMPT_EXEC_LEFT_OUT = 3,
	PROMPT_KIND_COUNT
};
/* text: trimmed; empty text is left out. */
enum prompt_kind prompt_kind(struct str text, struct str context_key);

static inline bool
prompt_has_lines(enum prompt_kind kind)
{
	return kind == PROMPT_LINES || kind == PROMPT_EXEC_COMPLETION;
}

/*
 * Appends the lines of an event that has some, as they stand inside a JSON string; behind a line
 * break, unless they are the first. context_key NULL: none. zone: see schema/zone.h.
 */
void prompt_write(struct buf *out, const struct zone *zone, struct str text, struct str context_key,
		  int64_t ts_ms, bool first);

#endif
