/*
 * zone.h - times written for people: in a time zone, with its short name (ROUTING section 8).
 *
 * Here: which time zone a configured name means, and a time's text in it, as ICU writes it for
 * American English. libc reads a zone's offsets from the system's time zone database.
 * Not here: clocks.
 */
#ifndef SCHEMA_ZONE_H
#define SCHEMA_ZONE_H

#include <stdbool.h>

#include "schema/mem.h"
#include "schema/text.h"

/*
 * A time zone that is in use. Between enter and leave it is the whole process's, so no other code
 * may ask for local times.
 */
struct zone {
	bool utc;         /* times are written YYYY-MM-DDTHH:MM:SSZ */
	const char *name; /* as the database spells it; "" when libc alone knows */
	const char *host; /* TZ as it was, NULL when it was not set */
	bool moved;       /* TZ was changed and must be restored */
};

/*
 * Enters the zone that the name means: UTC for "utc" and "gmt", a zone of the database for its name
 * in any case, and for everything else ("local", "host", "user", blank, NULL, unknown) the host's
 * zone, from the environment's TZ or the system's setting. The zone's text lives in the arena.
 */
void zone_enter(struct zone *zone, struct arena *arena, struct str name);
void zone_leave(struct zone *zone);

/*
 * Appends the time without its milliseconds: in UTC as above, otherwise "YYYY-MM-DD HH:MM:SS EST".
 * A zone without a short name in American English shows its offset, "GMT+5:30". A time outside
 * ECMAScript's range is "unknown-time".
 */
void zone_write(const struct zone *zone, struct buf *out, int64_t ts_ms);

#endif
