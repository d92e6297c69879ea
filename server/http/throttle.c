/*
 * throttle.c - bad tokens by address. The table is short, and only calls with a wrong token and
 * those of the webhook walk it.
 */
#include "server/http/throttle.h"

#include <stddef.h>

static struct tries *
find(struct throttle *throttle, uint64_t address)
{
	for (size_t i = 0; i < THROTTLE_ADDRESSES; i++)
		if (throttle->tries[i].count > 0 && throttle->tries[i].address == address)
			return &throttle->tries[i];
	return NULL;
}

/* A free place, else the one whose minute began first. */
static struct tries *
make_room(struct throttle *throttle)
{
	struct tries *oldest = &throttle->tries[0];

	for (size_t i = 0; i < THROTTLE_ADDRESSES; i++) {
		if (throttle->tries[i].count == 0)
			return &throttle->tries[i];
		if (throttle->tries[i].began_ms < oldest->began_ms)
			oldest = &throttle->tries[i];
	}
	return oldest;
}

int
throttle_count(struct throttle *throttle, uint64_t address, int64_t now_ms)
{
	struct tries *tries = find(throttle, address);

	if (tries == NULL || now_ms - tries->began_ms >= THROTTLE_MS) {
		tries = tries != NULL ? tries : make_room(throttle);
		*tries = (struct tries){ .address = address, .began_ms = now_ms };
	}
	if (tries->count < THROTTLE_BAD_TOKENS) {
		tries->count++;
		return 0;
	}
	return (int)((tries->began_ms + THROTTLE_MS - now_ms + 999) / 1000);
}

void
throttle_forget(struct throttle *throttle, uint64_t address)
{
	struct tries *tries = find(throttle, address);

	if (tries != NULL)
		tries->count = 0;
}
