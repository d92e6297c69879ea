/*
 * flags.h - what the load generator is asked for.
 */
#ifndef BENCH_FLAGS_H
#define BENCH_FLAGS_H

#include "load.h"

/* Reads what stands behind the mode. False: that cannot be. */
bool flags_read(struct load *load, int argc, char **argv);

#endif
