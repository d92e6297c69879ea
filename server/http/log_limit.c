/* log_limit.c - counts the records of a second. */
#include "server/http/log_limit.h"

#include "queue/clock.h"
#include "server/log.h"

#define TOLD_A_SECOND 5
#define SECOND_MS 1000

bool
log_limit_allows(struct log_limit *limit)
{
	int64_t now_ms = clock_coarse_ms();

	log_limit_tell_more(limit);
	if (now_ms - limit->began_ms >= SECOND_MS) {
		limit->began_ms = now_ms;
		limit->told = 0;
	}
	bool allowed = limit->told < TOLD_A_SECOND;
	limit->told += allowed;
	limit->untold += !allowed;
	return allowed;
}

void
log_limit_tell_more(struct log_limit *limit)
{
	if (limit->untold == 0 || clock_coarse_ms() < log_limit_next_ms(limit))
		return;
	log_line(LOG_WARN, log_msg(limit->more_text),
		 log_number("count", (long long)limit->untold));
	limit->untold = 0;
}

int64_t
log_limit_next_ms(const struct log_limit *limit)
{
	return limit->untold > 0 ? limit->began_ms + SECOND_MS : INT64_MAX;
}
