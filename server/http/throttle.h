/*
 * throttle.h - how many bad tokens each address has tried within a minute.
 *
 * Here: a count for each address (as in peers), in a table of fixed size: when it is full, the oldest count makes room.
 * Not here: what is refused (admission).
 */
#ifndef SEVQ_SERVER_HTTP_THROTTLE_H
#define SEVQ_SERVER_HTTP_THROTTLE_H

#include <stdint.h>

#define SEVQ_THROTTLE_ADDRESSES 256
#define SEVQ_THROTTLE_BAD_TOKENS 20
#define SEVQ_THROTTLE_MS 60000

/* All zero is empty. */
struct sevq_throttle {
	struct sevq_tries {
		uint64_t address;
		int64_t began_ms;
		int count; /* 0: free */
	} tries[SEVQ_THROTTLE_ADDRESSES];
};

/* Counts one more bad token; 0, or in how many seconds the address may try again. */
int sevq_throttle_count(struct sevq_throttle *throttle, uint64_t address, int64_t now_ms);
/* The address has shown a good one. */
void sevq_throttle_forget(struct sevq_throttle *throttle, uint64_t address);

#endif
