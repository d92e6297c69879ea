/*
 * zone.h - moments as people write them: in a time zone, with its short name (ROUTING section 8).
 *
 * Here: which time zone a configured name means, and a moment's text in it, as ICU has it for
 * American English. When a zone's clocks change is libc's knowledge, from the system's time zone
 * database.
 * Not here: clocks.
 */
#ifndef SCHEMA_ZONE_H
#define SCHEMA_ZONE_H

#include <stdbool.h>

#include "schema/mem.h"
#include "schema/text.h"

/*
 * Between enter and leave this is the whole process's time zone, so nobody else may ask for local
 * times meanwhile.
 */
struct zone {
	bool utc;         /* moments are written YYYY-MM-DDTHH:MM:SSZ */
	const char *name; /* as the database spells it; "" when libc alone knows */
	const char *host; /* TZ as it was, NULL when it was not set */
	bool moved;       /* TZ is to be set back */
};

/*
 * "utc" and "gmt" mean UTC; a name of the database, in any case, that zone; everything else
 * ("local", "host", "user", blank, NULL, unknown) the host's zone, which is that of the
 * environment's TZ, else the system's. What the zone points to is the arena's.
 */
void zone_enter(struct zone *zone, struct arena *arena, struct str name);
void zone_leave(struct zone *zone);

/*
 * Appends the moment, its milliseconds cut: in UTC as above, else "YYYY-MM-DD HH:MM:SS EST". Zones
 * without a short name that Americans know show their offset: "GMT+5:30". A moment outside
 * ECMAScript's range of time is "unknown-time".
 */
void zone_write(const struct zone *zone, struct buf *out, int64_t ts_ms);

#endif
