/*
 * wake.h - the waiters of the mode wake, one beside each connection.
 */
#ifndef BENCH_WAKE_H
#define BENCH_WAKE_H

#include "load.h"

/* The number of waiting connections besides those asked for: 0 in any other mode. */
uint64_t wake_waiters(const struct load *load);

/*
 * Lets the waiters, which follow the other connections, begin to wait. Does nothing in other modes.
 */
void wake_begin(struct load *load, struct connection *connections);

#endif
