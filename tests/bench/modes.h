/* modes.h - the modes of the load generator. */
#ifndef BENCH_MODES_H
#define BENCH_MODES_H

#include "load.h"

/* Modes for a sevqd. */
extern const struct mode post_mode, batch_mode, drain_mode, lease_mode; /* http.c */
extern const struct mode wake_mode;                                     /* wake.c */

/* Modes for its peers. */
extern const struct mode xadd_mode, rpush_mode, lpop_mode; /* redis.c */
extern const struct mode put_mode;                         /* beanstalk.c */
extern const struct mode insert_mode;                      /* postgres.c */

/* Modes without a server. */
extern const struct mode sync_mode; /* sync.c */
extern const struct mode rows_mode; /* sqlite.c */

#endif
