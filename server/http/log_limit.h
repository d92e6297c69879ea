/*
 * log_limit.h - records of what clients can cause at will: the first few of each second one by one,
 * the others as a number once it is over.
 *
 * Here: which may be written, and the number. Not here: the records.
 */
#ifndef SERVER_HTTP_LOG_LIMIT_H
#define SERVER_HTTP_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct log_limit {
	const char *more_text; /* of the record that has the number of the others */
	int64_t began_ms;      /* the second, on clock_coarse_ms */
	unsigned told;         /* one by one */
	uint64_t untold;
};

/* Whether one more record may be written. It is counted either way. */
bool log_limit_allows(struct log_limit *limit);

/* In every turn: writes the number of the second that is over, if there is one. */
void log_limit_tell_more(struct log_limit *limit);
/* When there will be something to write, on clock_coarse_ms; INT64_MAX: nothing. */
int64_t log_limit_next_ms(const struct log_limit *limit);

#endif
