/*
 * fixture.h - the engine on a store in memory, with clocks that stand still until a test moves
 * them.
 *
 * Here: opening and closing, turns, the few lines that every test of a call begins and ends with.
 * Not here: the calls themselves (calls.h), the store (memory_store.h).
 */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include "queue/clock.h"
#include "tests/unit/calls.h"
#include "tests/unit/memory_store.h"

#define A "agent:main:a"
#define B "agent:main:b"
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define IDS(...)                                                                                   \
	(const int64_t[]){ __VA_ARGS__ }, sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)
#define ALL NULL, 0
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

extern struct memory_store store;
extern struct engine *engine;
extern struct engine_options options; /* for the next reopen */
extern struct error error;
extern struct clock now;

int fixture_begin(void **state);
int fixture_end(void **state);

/*
 * Where SEVQ_TEST_LATE lets the store call back only after each turn: not in this test, which says
 * itself when the store does.
 */
void call_back_at_once(void);

void reopen(void);
void turn(void);
void pass(int64_t ms); /* moves both clocks; the engine notices in its next turn */

/* Runs turns with this one call, which must succeed, or fail with this code. */
struct call *done(struct call *call);
struct call *fails(struct call *call, enum error_code code);

struct policy *
parse_policy(const char *json5); /* the caller frees it, or the engine that it is given to */
/* the event's id */
int64_t put(const char *key, const char *text);
int64_t put_keyed(const char *key, const char *context_key, const char *text);
/* the lease's id; 0 when there was no event to lease */
int64_t lease_events(const char *key, size_t limit, int64_t lease_ms);
/* the texts of all pending events, in order, as "1 2" */
void assert_queued(const char *key, const char *texts);
/* the same of those that a drain would take now */
void assert_deliverable(const char *key, const char *texts);
const struct system_event *look_at(int64_t id);
const struct session *session_of(const char *key); /* its entry in the list of sessions, or NULL */
struct engine_stats stats(void);
struct census census(void);

#endif
