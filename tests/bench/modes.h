/*
 * modes.h - everything the load generator can do.
 */
#ifndef BENCH_MODES_H
#define BENCH_MODES_H

#include "load.h"

/* A sevqd. */
extern const struct mode post_mode, batch_mode, drain_mode, lease_mode; /* http.c */
extern const struct mode wake_mode;                                     /* wake.c */

/* The others. */
extern const struct mode xadd_mode, rpush_mode, lpop_mode; /* redis.c */
extern const struct mode put_mode;                         /* beanstalk.c */
extern const struct mode insert_mode;                      /* postgres.c */

/* No server. */
extern const struct mode sync_mode; /* sync.c */
extern const struct mode rows_mode; /* sqlite.c */

#endif
