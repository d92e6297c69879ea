/*
 * wake.h - the waiters of the mode wake, one beside each connection.
 */
#ifndef BENCH_WAKE_H
#define BENCH_WAKE_H

#include "load.h"

/* How many connections there are besides those asked for: 0 in any other mode. */
uint64_t wake_waiters(const struct load *load);

/* Sends the waiters, who stand behind the others, to wait. In any other mode: nothing. */
void wake_begin(struct load *load, struct connection *connections);

#endif
