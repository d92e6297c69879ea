/* flags.h - the command line of the load generator. */
#ifndef BENCH_FLAGS_H
#define BENCH_FLAGS_H

#include "load.h"

/* Reads the arguments after the mode. False when they are invalid. */
bool flags_read(struct load *load, int argc, char **argv);

#endif
