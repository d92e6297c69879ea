/*
 * throttle.c - bad tokens by address. The table is short, and only wrong and webhook calls walk it.
 */
#include "server/http/throttle.h"

#include <stddef.h>

static struct sevq_tries *
find(struct sevq_throttle *throttle, uint64_t address)
{
	for (size_t i = 0; i < SEVQ_THROTTLE_ADDRESSES; i++)
		if (throttle->tries[i].count > 0 && throttle->tries[i].address == address)
			return &throttle->tries[i];
	return NULL;
}

/* A free place, else the one whose minute began first. */
static struct sevq_tries *
make_room(struct sevq_throttle *throttle)
{
	struct sevq_tries *oldest = &throttle->tries[0];

	for (size_t i = 0; i < SEVQ_THROTTLE_ADDRESSES; i++) {
		if (throttle->tries[i].count == 0)
			return &throttle->tries[i];
		if (throttle->tries[i].began_ms < oldest->began_ms)
			oldest = &throttle->tries[i];
	}
	return oldest;
}

int
sevq_throttle_count(struct sevq_throttle *throttle, uint64_t address, int64_t now_ms)
{
	struct sevq_tries *tries = find(throttle, address);

	if (tries == NULL || now_ms - tries->began_ms >= SEVQ_THROTTLE_MS) {
		tries = tries != NULL ? tries : make_room(throttle);
		*tries = (struct sevq_tries){ .address = address, .began_ms = now_ms };
	}
	if (tries->count < SEVQ_THROTTLE_BAD_TOKENS) {
		tries->count++;
		return 0;
	}
	return (int)((tries->began_ms + SEVQ_THROTTLE_MS - now_ms + 999) / 1000);
}

void
sevq_throttle_forget(struct sevq_throttle *throttle, uint64_t address)
{
	struct sevq_tries *tries = find(throttle, address);

	if (tries != NULL)
		tries->count = 0;
}
