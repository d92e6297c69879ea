/*
 * throttle.h - how many bad tokens each address has tried within a minute.
 *
 * Here: a count for each address (as in peers), in a table of fixed size: when it is full, the
 * oldest count makes room. Not here: what is refused (admission).
 */
#ifndef SERVER_HTTP_THROTTLE_H
#define SERVER_HTTP_THROTTLE_H

#include <stdint.h>

#define THROTTLE_ADDRESSES 256
#define THROTTLE_BAD_TOKENS 20
#define THROTTLE_MS 60000

/* All zero is empty. */
struct throttle {
	struct tries {
		uint64_t address;
		int64_t began_ms;
		int count; /* 0: free */
	} tries[THROTTLE_ADDRESSES];
};

/* Counts one more bad token; 0, or in how many seconds the address may try again. */
int throttle_count(struct throttle *throttle, uint64_t address, int64_t now_ms);
/* The address has shown a good one. */
void throttle_forget(struct throttle *throttle, uint64_t address);

#endif
