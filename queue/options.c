/* options.c - the defaults of one engine. */
#include "queue/options.h"

#include "queue/catalog/matches.h"
#include "schema/event.h"

void
engine_options_init(struct engine_options *options)
{
	*options = (struct engine_options){
		.batch_events_max = BATCH_EVENTS_DEFAULT,
		.session_pending_max = SESSION_PENDING_DEFAULT,
		.sessions_max = SESSIONS_DEFAULT,
		.pending_max = PENDING_DEFAULT,
		.overflow = OVERFLOW_REJECT,
		.attempts_max = ATTEMPTS_DEFAULT,
		.returns_kept = RETURNS_KEPT,
		.retention_ms = RETENTION_MS_DEFAULT,
		.retention_rows = RETENTION_ROWS_DEFAULT,
		.recent_bytes = RECENT_BYTES,
		.answer_bytes_max = SIZE_MAX,
		.walk_max = MATCHES_WALK_MAX,
		.unattended_ms = UNATTENDED_MS_DEFAULT,
		.rekey_on_reload = true,
	};
}
