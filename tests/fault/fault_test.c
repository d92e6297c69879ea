/*
 * fault_test.c - every single call to the disk fails once, and from then on for good, in every way.
 *
 * A script of calls runs through the engine on SQLite over a VFS that fails the k-th call of one
 * kind (shim.h), for every k until the script makes no more such calls or K_MAX is reached. Beside
 * it a model takes every acknowledged call and no refused one. Then the database is opened with the
 * real VFS, as a kill would have left it and as closing left it: it must hold exactly what the
 * model holds. Where the outcome of a commit was unknown, with or without that batch is right, but
 * none of its calls may have been answered, then or later.
 *
 * A sync that fails may also take back what was written since the last, as the kernel may. Beside
 * that stands a sqlite3 shell, which keeps the log's index alive, and then stays, or is the last to
 * close the database.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <unistd.h>

#include "queue/clock.h"
#include "queue/sqlite/store.h"
#include "tests/fault/shim.h"
#include "tests/unit/calls.h"
#include "tests/unit/files.h"

#define K_MAX 200
#define FRAME_BYTES 4120 /* a frame of the WAL: a page and its header */
#define EVENTS_MAX 32
#define HOUR_MS INT64_C(3600000)
#define TURN_CALLS_MAX 8
#define PATH_BYTES 128
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *const keys[] = { "agent:main:a", "agent:main:b" };

/* One call of the script. END_OF_TURN follows the last call of a turn. */
struct step {
	enum what {
		ENQUEUE,
		REPLACE,
		DRAIN,
		CONSUME,
		WITHDRAW,
		PURGE,
		LEASE,
		ACK,
		NACK,
		LOOK,
		END_OF_TURN,
		DO_CHORES,
		OPEN_AGAIN,
		SHELL_BEGINS, /* the sqlite3 shell begins a read transaction */
		SHELL_ENDS
	} what;
	int key;
	/* ENQUEUE, REPLACE: the new event's text; CONSUME, WITHDRAW: that of the event meant */
	const char *text;
	const char *context_key; /* REPLACE */
	size_t limit;            /* DRAIN, LEASE */
};

/* clang-format off */
#define ENQUEUE(k, t) { .what = ENQUEUE, .key = (k), .text = (t) }
#define REPLACE(k, t, c) { .what = REPLACE, .key = (k), .text = (t), .context_key = (c) }
#define DRAIN(k, n) { .what = DRAIN, .key = (k), .limit = (n) }
#define CONSUME(k, t) { .what = CONSUME, .key = (k), .text = (t) }
#define WITHDRAW(k, t) { .what = WITHDRAW, .key = (k), .text = (t) }
#define PURGE(k) { .what = PURGE, .key = (k) }
#define LEASE(k, n) { .what = LEASE, .key = (k), .limit = (n) }
#define ACK(k) { .what = ACK, .key = (k) }
#define NACK(k) { .what = NACK, .key = (k) }
#define LOOK(k) { .what = LOOK, .key = (k) }
#define TURN { .what = END_OF_TURN }
#define CHORES { .what = DO_CHORES }
#define REOPEN { .what = OPEN_AGAIN }
#define READ { .what = SHELL_BEGINS }
#define READ_NO_MORE { .what = SHELL_ENDS }

/* A text of so many pages that committing its event takes more than one write. */
static char long_text[TEXT_BYTES_MAX + 1];

static const struct step mixed[] = {
	ENQUEUE(0, "1"), TURN,
	ENQUEUE(0, "2"), ENQUEUE(1, "3"), REPLACE(0, "4", "k"), TURN,
	DRAIN(0, 1), ENQUEUE(0, "5"), LOOK(0), REPLACE(0, "6", "k"), TURN,
	CHORES,
	ENQUEUE(1, long_text), TURN,
	CONSUME(0, "5"), WITHDRAW(1, "3"), LOOK(1), TURN,
	REOPEN,
	LOOK(0), LOOK(1), TURN,
	ENQUEUE(0, "7"), ENQUEUE(1, "8"), TURN,
	CHORES,
	PURGE(1), ENQUEUE(0, "9"), TURN,
	DRAIN(0, 2), TURN,
	CHORES,
	ENQUEUE(1, "10"), TURN,
};

/* Leases, over a sweep and a restart. */
static const struct step with_leases[] = {
	ENQUEUE(0, "1"), ENQUEUE(0, "2"), ENQUEUE(1, "3"), TURN,
	LEASE(0, 1), LEASE(1, 1), ENQUEUE(0, "4"), TURN,
	DRAIN(0, 1), LOOK(0), TURN,
	ACK(0), NACK(1), LOOK(1), TURN,
	CHORES,
	LEASE(0, 2), TURN,
	REOPEN,
	ACK(0), LEASE(1, 1), TURN,
	CHORES,
	NACK(1), ENQUEUE(1, "5"), TURN,
	LOOK(0), LOOK(1), TURN,
};

/* The script begins with a WAL large enough for a checkpoint. */
static const struct step checkpointed[] = {
	ENQUEUE(0, "1"), TURN,
	CHORES,
	ENQUEUE(1, "2"), DRAIN(1, 1), TURN,
	ENQUEUE(0, "3"), TURN,
	DRAIN(0, 2), TURN,
	CHORES,
};

/* The same with a reader: one checkpoint stops at it without a sync, and the next does the rest. */
static const struct step checkpointed_twice[] = {
	ENQUEUE(0, "1"), TURN,
	READ,
	ENQUEUE(1, "2"), DRAIN(1, 1), TURN,
	CHORES,
	ENQUEUE(0, "3"), TURN,
	READ_NO_MORE,
	ENQUEUE(1, "4"), TURN,
	CHORES,
	ENQUEUE(0, "5"), DRAIN(0, 2), TURN,
};
/* clang-format on */

/* The pending events by their texts, which are unique in a script. */
struct model {
	struct {
		int key;
		const char *text, *context_key;
		int lease; /* the number of its lease among those of its key; 0: not leased */
	} events[EVENTS_MAX];
	size_t count;
	int leases[COUNT(keys)];
};

static char directory[64], path[PATH_BYTES], copy[PATH_BYTES], template[PATH_BYTES];
static struct engine *engine;
static struct error error;

static struct model model;      /* the state after every acknowledged call */
static struct model maybe;      /* the same after the batch whose outcome is unknown */
static uint64_t checkpoints;    /* calls of the last script that ran to its end */
static bool swept;              /* retention is 0: settled events are swept at once */
static bool unknown;            /* there is one */
static uint64_t keys_max;       /* idempotency keys that are kept; 0: the default */
static int64_t ids[EVENTS_MAX]; /* ids of acknowledged events, by index into texts */
static const char *texts[EVENTS_MAX];
static size_t text_count;
static int64_t leases[COUNT(keys)]; /* the newest lease of each key; 0: none */

/* opened again after the server has ended */
static enum { NOBODY, SHELL_STAYS, SHELL_QUITS } beside;
static sqlite3 *shell; /* NULL: none */

/* --- files --- */

static void
copy_one(const char *from, const char *to, const char *suffix)
{
	char name[PATH_BYTES + 8], block[65536];

	snprintf(name, sizeof(name), "%s%s", from, suffix);
	int in = open(name, O_RDONLY | O_CLOEXEC);
	snprintf(name, sizeof(name), "%s%s", to, suffix);
	unlink(name);
	if (in < 0)
		return;
	int out = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	for (ssize_t n; (n = read(in, block, sizeof(block))) > 0;)
		assert_int_equal(write(out, block, (size_t)n), n);
	close(in), close(out);
}

/* Copies to `to` what a kill would leave of `from`. */
static void
copy_database(const char *from, const char *to)
{
	copy_one(from, to, "");
	copy_one(from, to, "-wal");
}

static void
remove_database(const char *name)
{
	static const char *const suffixes[] = { "",     "-wal",         "-shm",  "-journal",
						".new", ".new-journal", ".lock", ".reserve" };
	char full[PATH_BYTES + 16];

	for (size_t i = 0; i < COUNT(suffixes); i++) {
		snprintf(full, sizeof(full), "%s%s", name, suffixes[i]);
		unlink(full);
	}
}

/* --- a shell beside the server --- */

static void
shell_run(const char *statements)
{
	if (shell != NULL && sqlite3_exec(shell, statements, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("the shell: %s: %s", statements, sqlite3_errmsg(shell));
}

static void
open_shell(void)
{
	assert_int_equal(sqlite3_open_v2(path, &shell, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
	shell_run("SELECT count(*) FROM event");
}

static void
close_shell(void)
{
	sqlite3_close(shell);
	shell = NULL;
}

/* --- the model --- */

static bool
chosen(const struct step *step, const char *context_key, const char *text, int is_leased,
       int newest_lease, size_t already)
{
	switch (step->what) {
	case REPLACE:
		return context_key != NULL && strcmp(context_key, step->context_key) == 0;
	case DRAIN:
		return already < step->limit && is_leased == 0;
	case ACK:
		return is_leased > 0 && is_leased == newest_lease;
	case CONSUME:
	case WITHDRAW:
		return strcmp(text, step->text) == 0;
	default:
		return step->what == PURGE;
	}
}

/* Ends the leases of the key, or leases a few more of its events. */
static void
apply_lease(struct model *m, const struct step *step)
{
	size_t leased_now = 0;
	int lease = step->what == LEASE ? ++m->leases[step->key] : m->leases[step->key];

	for (size_t i = 0; i < m->count; i++) {
		if (m->events[i].key != step->key)
			continue;
		if (step->what == NACK && m->events[i].lease == lease)
			m->events[i].lease = 0;
		else if (step->what == LEASE && m->events[i].lease == 0 &&
			 leased_now++ < step->limit)
			m->events[i].lease = lease;
	}
}

static void
apply(struct model *m, const struct step *step)
{
	size_t kept = 0, removed = 0;

	if (step->what == LEASE || step->what == NACK) {
		apply_lease(m, step);
		return;
	}
	for (size_t i = 0; i < m->count; i++) {
		if (m->events[i].key == step->key &&
		    chosen(step, m->events[i].context_key, m->events[i].text, m->events[i].lease,
			   m->leases[step->key], removed))
			removed++;
		else
			m->events[kept++] = m->events[i];
	}
	m->count = kept;
	if (step->what == ENQUEUE || step->what == REPLACE) {
		assert_true(m->count < EVENTS_MAX);
		m->events[m->count].key = step->key;
		m->events[m->count].text = step->text;
		m->events[m->count].lease = 0;
		m->events[m->count++].context_key = step->context_key;
	}
}

static bool
same_list(const struct model *m, int key, const struct system_event_list *list)
{
	size_t at = 0;

	for (size_t i = 0; i < m->count; i++) {
		if (m->events[i].key != key)
			continue;
		if (at == list->count ||
		    !str_eq(list->events[at].text, str_of(m->events[i].text)) ||
		    (list->events[at].state == EVENT_STATE_LEASED) != (m->events[i].lease > 0))
			return false;
		at++;
	}
	return at == list->count;
}

/* --- the engine --- */

static int
open_engine(const char *name)
{
	struct sqlite_options storage;
	struct engine_options options;
	struct policy *policy;
	struct store *store;

	sqlite_options_init(&storage);
	engine_options_init(&options);
	options.recent_bytes = 0; /* so that events are read from the disk */
	storage.path = name;
	storage.min_free_bytes = 0;
	if (keys_max > 0)
		storage.keys_max = storage.keys_per_owner_max = keys_max;
	options.retention_ms = swept ? -1000 : RETENTION_MS_DEFAULT;
	engine = NULL;
	if (sqlite_open(&storage, &store, &error) < 0)
		return -1;
	assert_int_equal(policy_parse("", 0, NULL, &policy, NULL), 0);
	if (engine_open(store, policy, &options, &engine, &error) == 0)
		return 0;
	store->driver->close(store, NULL);
	policy_free(policy);
	return -1;
}

static void
close_engine(void)
{
	engine_close(engine);
	engine = NULL;
}

static int64_t *
id_of(const char *text)
{
	size_t i = 0;

	while (i < text_count && texts[i] != text)
		i++;
	if (i == text_count)
		texts[text_count++] = text;
	return &ids[i];
}

/* Submits the call of this step; NULL when it names an event that was not accepted. */
static struct call *
submit(const struct step *step)
{
	struct draft one = draft(keys[step->key], step->text);
	int64_t id = step->what == CONSUME || step->what == WITHDRAW ? *id_of(step->text) : 0;

	switch (step->what) {
	case ENQUEUE:
	case REPLACE:
		one.context_key = str_of(step->context_key);
		one.replace = step->what == REPLACE;
		return enqueue_draft(engine, one);
	case DRAIN:
		return drain(engine, keys[step->key], step->limit);
	case CONSUME:
		return id > 0 ? consume(engine, keys[step->key], &id, 1) : NULL;
	case WITHDRAW:
		return id > 0 ? withdraw(engine, id) : NULL;
	case PURGE:
		return purge(engine, keys[step->key], NULL);
	case LEASE:
		return take_lease(engine, keys[step->key], step->limit, LEASE_MS_MAX);
	case ACK:
		return leases[step->key] > 0 ? ack(engine, leases[step->key], NULL, 0) : NULL;
	case NACK:
		return leases[step->key] > 0 ? nack(engine, leases[step->key], NULL, 0) : NULL;
	default:
		return peek(engine, keys[step->key]);
	}
}

/* The call that was answered next; NULL: no other was. */
static struct call *
next_answered(struct call *const *calls, size_t count, int after, size_t *ret_at)
{
	struct call *next = NULL;

	for (size_t i = 0; i < count; i++) {
		if (calls[i] == NULL || calls[i]->answered_as <= after ||
		    (next != NULL && calls[i]->answered_as > next->answered_as))
			continue;
		next = calls[i];
		*ret_at = i;
	}
	return next;
}

static void
account_one(const struct step *step, const struct call *call)
{
	assert_int_equal(call->answered, 1);
	if (call->op.error.code != ERROR_NONE) {
		assert_int_not_equal(call->op.error.code, ERROR_STORAGE_UNKNOWN);
		return;
	}
	apply(&model, step);
	if (step->what == ENQUEUE || step->what == REPLACE)
		*id_of(step->text) = call->enqueue.results[0].event.id;
	if (step->what == LEASE)
		leases[step->key] = call->lease_take.lease_id;
	if (step->what == LOOK)
		assert_true(same_list(&model, step->key, &call->peek.found));
}

/*
 * Applies the calls that succeeded to the model, in the order of their answers, and nothing else:
 * who finds no room waits, and is answered after others. Answers how many were answered.
 */
static size_t
account(const struct step *steps, struct call *const *calls, size_t count)
{
	struct call *call;
	size_t answered = 0, at = 0;

	for (int after = 0; (call = next_answered(calls, count, after, &at)) != NULL;
	     after = call->answered_as, answered++)
		account_one(&steps[at], call);
	return answered;
}

static size_t
count_answered(struct call *const *calls, size_t count)
{
	size_t answered = 0;

	for (size_t i = 0; i < count; i++)
		answered += calls[i] != NULL && calls[i]->answered > 0;
	return answered;
}

/*
 * The turn that failed answered nothing, and the engine never answers again. What was not answered
 * may have been carried out.
 */
static void
account_unknown(const struct step *steps, struct call *const *calls, size_t count, size_t answered)
{
	assert_int_equal(account(steps, calls, count), answered);
	unknown = true;
	maybe = model;
	assert_int_equal(error.code, ERROR_STORAGE_UNKNOWN);
	for (size_t i = 0; i < count; i++)
		if (calls[i] != NULL && calls[i]->answered == 0)
			apply(&maybe, &steps[i]);
	struct call *late = peek(engine, keys[0]);
	assert_int_equal(engine_turn(engine, &error), -1);
	assert_int_equal(late->answered, 0);
	assert_int_equal(count_answered(calls, count), answered);
}

/*
 * Turns and chores until the calls are answered: events that find no room wait while settled ones
 * give way. -1: the engine has stopped; *answered were answered before the turn that stopped it.
 */
static int
turn_until_answered(struct call *const *calls, size_t count, size_t *answered)
{
	*answered = 0;
	int failed = engine_turn(engine, &error);

	while (failed == 0 && !engine_idle(engine)) {
		*answered = count_answered(calls, count);
		engine_chores(engine);
		failed = engine_turn(engine, &error);
	}
	return failed;
}

/*
 * Runs the calls up to the end of the turn as one batch; answers how many steps it ran, or -1 when
 * the engine has stopped.
 */
static int
run_turn(const struct step *steps)
{
	struct call *calls[TURN_CALLS_MAX];
	size_t count = 0, answered;

	for (; steps[count].what != END_OF_TURN; count++)
		calls[count] = submit(&steps[count]);
	if (turn_until_answered(calls, count, &answered) < 0) {
		account_unknown(steps, calls, count, answered);
		return -1;
	}
	size_t asked = 0;
	for (size_t i = 0; i < count; i++)
		asked += calls[i] != NULL;
	assert_int_equal(account(steps, calls, count), asked);
	return (int)count + 1;
}

static void
run_script(const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count;) {
		if (steps[i].what == DO_CHORES) {
			while (engine_chores(engine))
				continue;
			if (engine_stopped(engine, &error))
				return; /* the answered calls have not changed */
			i++;
		} else if (steps[i].what == OPEN_AGAIN) {
			close_engine();
			if (open_engine(path) < 0)
				return;
			i++;
		} else if (steps[i].what == SHELL_BEGINS) {
			shell_run("BEGIN; SELECT count(*) FROM event");
			i++;
		} else if (steps[i].what == SHELL_ENDS) {
			shell_run("COMMIT");
			i++;
		} else {
			int done = run_turn(&steps[i]);

			if (done < 0)
				return;
			i += (size_t)done;
		}
	}
	struct engine_stats stats;
	engine_stats(engine, &stats);
	checkpoints = stats.store.checkpoints;
}

/* --- one fault, all faults --- */

static bool
agrees_with_model(const struct model *m)
{
	for (int key = 0; key < (int)COUNT(keys); key++) {
		struct call *call = peek(engine, keys[key]);

		assert_int_equal(engine_turn(engine, &error), 0);
		assert_int_equal(call->op.error.code, ERROR_NONE);
		if (!same_list(m, key, &call->peek.found))
			return false;
	}
	return true;
}

/* Checks that the database at `name` opens, holds the events of the model, and works. */
static void
check_database(const char *name, const struct shim_fault *fault, const char *when)
{
	const char *wrong = NULL;

	if (open_engine(name) < 0)
		wrong = error.detail;
	else if (!agrees_with_model(&model) && !(unknown && agrees_with_model(&maybe)))
		wrong = "it does not hold what was acknowledged";
	if (wrong == NULL) {
		struct call *call = enqueue(engine, keys[0], "afterwards");

		if (engine_turn(engine, &error) < 0 || call->op.error.code != ERROR_NONE)
			wrong = "it takes no events";
	}
	close_engine();
	calls_free();
	if (wrong != NULL)
		fail_msg("kind %d, call %d%s, code %d: %s: %s", (int)fault->kind, fault->k,
			 fault->from_then_on ? " and on" : "", fault->code, when, wrong);
}

static void
begin_model(void)
{
	model = (struct model){ 0 };
	unknown = false;
	text_count = 0;
	memset(ids, 0, sizeof(ids));
	memset(leases, 0, sizeof(leases));
	remove_database(path);
}

/* With the large WAL faults begin after opening; otherwise most would hit its recovery. */
static int
open_armed(const struct shim_fault *fault, bool from_template)
{
	shim_arm(from_template ? &(struct shim_fault){ 0 } : fault);
	if (from_template)
		copy_database(template, path);
	int failed = open_engine(path);
	if (from_template)
		shim_arm(fault);
	return failed;
}

/* False when the script makes fewer than k calls of this kind, so that nothing failed. */
static bool
run_one(const struct step *steps, size_t count, const struct shim_fault *fault, bool from_template)
{
	begin_model();
	if (open_armed(fault, from_template) == 0) {
		if (beside != NOBODY)
			open_shell();
		run_script(steps, count);
	}
	bool failed = shim_failed() > 0;
	bool left = access(path, F_OK) == 0;
	if (left)
		copy_database(path, copy);
	close_engine();
	failed = failed || shim_failed() > 0;
	shim_disarm();
	if (left) {
		check_database(copy, fault, "killed");
		remove_database(copy);
	}
	if (beside == SHELL_QUITS)
		close_shell();
	check_database(path, fault, "closed");
	close_shell();
	return failed;
}

/*
 * A sync cannot fail with SQLITE_FULL: SQLite's VFS reports every failed fsync as
 * SQLITE_IOERR_FSYNC.
 */
static bool
is_possible(enum shim_kind kind, int code)
{
	return kind != SHIM_SYNC || code != SQLITE_FULL;
}

/* Fails every call of this kind in turn; answers how many there were. */
static int
run_every(const struct step *steps, size_t count, struct shim_fault fault, bool from_template)
{
	for (fault.k = 1; fault.k <= K_MAX; fault.k++)
		if (!run_one(steps, count, &fault, from_template))
			break;
	assert_true(fault.k <= K_MAX);
	return fault.k - 1;
}

static void
run_all(const struct step *steps, size_t count, bool from_template)
{
	static const int codes[] = { SQLITE_IOERR, SQLITE_FULL, SQLITE_NOMEM };
	/* a write may fail at its end, where the commit record is */
	static const int missing[] = { 0, FRAME_BYTES };
	int runs = 0;

	swept = !from_template;
	/* without a fault the script runs to its end */
	assert_false(run_one(steps, count, &(struct shim_fault){ 0 }, from_template));
	assert_int_equal(checkpoints, from_template);
	for (int kind = 0; kind < SHIM_KIND_COUNT; kind++)
		for (size_t c = 0; c < COUNT(codes); c++)
			for (int on = 0; on < 2; on++) {
				if (!is_possible((enum shim_kind)kind, codes[c]))
					continue;
				struct shim_fault fault = { .kind = (enum shim_kind)kind,
							    .code = codes[c],
							    .from_then_on = on == 1 };
				for (size_t m = 0; m < (kind == SHIM_WRITE ? COUNT(missing) : 1);
				     m++) {
					fault.missing = missing[m];
					runs += run_every(steps, count, fault, from_template);
				}
			}
	print_message("%d runs\n", runs);
	assert_true(runs > 100);
}

static void
no_fault_loses_or_invents_an_event(void **state)
{
	(void)state;
	run_all(mixed, COUNT(mixed), false);
}

static void
no_fault_breaks_a_lease(void **state)
{
	(void)state;
	run_all(with_leases, COUNT(with_leases), false);
}

/* Every sync fails in turn, and the writes that it should have synced are lost. */
static void
lose_all(const struct step *steps, size_t count, bool from_template)
{
	int runs = 0;

	swept = !from_template;
	for (beside = NOBODY; beside <= SHELL_QUITS; beside++)
		for (int on = 0; on < 2; on++)
			runs += run_every(steps, count,
					  (struct shim_fault){ .kind = SHIM_SYNC,
							       .code = SQLITE_IOERR_FSYNC,
							       .from_then_on = on == 1,
							       .forgets = true },
					  from_template);
	beside = NOBODY;
	print_message("%d runs\n", runs);
	assert_true(runs > 20);
}

static void
no_lost_write_loses_an_event(void **state)
{
	(void)state;
	lose_all(mixed, COUNT(mixed), false);
	lose_all(with_leases, COUNT(with_leases), false);
}

/* Makes a database whose WAL is so large that the next chores checkpoint it; few pages differ. */
static void
make_template(void)
{
	struct engine_stats stats = { 0 };

	remove_database(path);
	assert_int_equal(open_engine(path), 0);
	while (stats.store.wal_bytes < 1000 * FRAME_BYTES) {
		enqueue(engine, keys[0], "x");
		drain(engine, keys[0], 0);
		assert_int_equal(engine_turn(engine, &error), 0);
		engine_stats(engine, &stats);
		calls_free();
	}
	copy_database(path, template);
	close_engine();
}

static void
no_fault_of_a_checkpoint_loses_an_event(void **state)
{
	(void)state;
	make_template();
	run_all(checkpointed, COUNT(checkpointed), true);
}

static void
no_lost_write_of_a_checkpoint_loses_an_event(void **state)
{
	(void)state;
	make_template();
	lose_all(checkpointed, COUNT(checkpointed), true);
	assert_int_equal(checkpoints, 1);
	lose_all(checkpointed_twice, COUNT(checkpointed_twice), true);
	assert_int_equal(checkpoints, 2);
}

static void
answer_one_and_fail_the_next_sync(void)
{
	make_template();
	copy_database(template, path);
	assert_int_equal(open_engine(path), 0);
	enqueue(engine, keys[0], "answered");
	assert_int_equal(engine_turn(engine, &error), 0);
	shim_arm(&(struct shim_fault){ .kind = SHIM_SYNC, .k = 1, .code = SQLITE_IOERR_FSYNC });
}

/* The shared WAL-index has no valid header. */
static void
assert_wal_index_is_invalid(void)
{
	char name[PATH_BYTES + 8], header[96];

	snprintf(name, sizeof(name), "%s-shm", path);
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, header, sizeof(header)), sizeof(header));
	close(fd);
	for (size_t i = 0; i < sizeof(header); i++)
		assert_int_equal(header[i], 0);
}

/*
 * Nothing is answered after a failed sync, although the WAL still has everything answered before
 * (C8).
 */
static void
assert_chores_stop_the_engine(const char *text)
{
	assert_false(engine_stopped(engine, &error));
	while (engine_chores(engine))
		continue;
	assert_int_equal(shim_failed(), 1);
	shim_disarm();
	assert_true(engine_stopped(engine, &error));
	assert_int_equal(error.code, ERROR_STORAGE_UNKNOWN);
	assert_false(engine_ready(engine, &error));
	struct call *late = enqueue(engine, keys[0], "not answered");
	assert_int_equal(engine_turn(engine, &error), -1);
	assert_int_equal(late->answered, 0);
	assert_wal_index_is_invalid();
	close_engine();
	calls_free();
	assert_int_equal(open_engine(path), 0);
	struct call *found = peek(engine, keys[0]);
	assert_int_equal(engine_turn(engine, &error), 0);
	assert_int_equal(found->peek.found.count, 1);
	assert_true(str_eq(found->peek.found.events[0].text, str_of(text)));
	close_engine();
	calls_free();
}

static void
a_checkpoint_whose_sync_fails_stops_the_engine(void **state)
{
	(void)state;
	answer_one_and_fail_the_next_sync();
	assert_chores_stop_the_engine("answered");
}

static void
a_sweep_whose_sync_fails_stops_the_engine(void **state)
{
	(void)state;
	remove_database(path);
	swept = true;
	assert_int_equal(open_engine(path), 0);
	enqueue(engine, keys[0], "taken"), drain(engine, keys[0], 0);
	enqueue(engine, keys[1], "taken"), drain(engine, keys[1], 0); /* the newest outcome stays */
	enqueue(engine, keys[0], "still there");
	assert_int_equal(engine_turn(engine, &error), 0);
	shim_arm(&(struct shim_fault){ .kind = SHIM_SYNC, .k = 1, .code = SQLITE_IOERR_FSYNC });
	assert_chores_stop_the_engine("still there");
	swept = false;
}

static void
deleting_keys_whose_sync_fails_stops_the_engine(void **state)
{
	(void)state;
	sqlite3 *db;
	remove_database(path);
	assert_int_equal(open_engine(path), 0);
	enqueue(engine, keys[0], "still there");
	assert_int_equal(engine_turn(engine, &error), 0);
	close_engine();
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(
		db, "INSERT INTO idempotency(ts, key, request, answer) VALUES (1, 'old', 1, '')",
		NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(open_engine(path), 0);
	/* the first write is that of the WAL's header */
	shim_arm(&(struct shim_fault){ .kind = SHIM_SYNC, .k = 2, .code = SQLITE_IOERR_FSYNC });
	assert_chores_stop_the_engine("still there");
}

/*
 * A second sync may succeed although the kernel has dropped the pages that the first failed to
 * write.
 */
static void
a_failed_sync_is_not_retried(void **state)
{
	(void)state;
	answer_one_and_fail_the_next_sync();
	enqueue(engine, keys[0], "not answered");
	assert_int_equal(engine_turn(engine, &error), -1);
	assert_int_equal(error.code, ERROR_STORAGE_UNKNOWN);
	assert_false(engine_chores(engine));
	close_engine();
	assert_int_equal(shim_calls(SHIM_SYNC), 1);
	shim_disarm();
	calls_free();
}

static bool
reserve_exists(void)
{
	char reserve[PATH_BYTES + 16];

	snprintf(reserve, sizeof(reserve), "%s.reserve", path);
	return access(reserve, F_OK) == 0;
}

static const struct shim_fault full_once = { .kind = SHIM_WRITE, .k = 1, .code = SQLITE_FULL };

static void
drain_on_a_full_disk(void)
{
	shim_arm(&full_once);
	struct call *taken = drain(engine, keys[0], 0);
	assert_int_equal(engine_turn(engine, &error), 0);
	assert_int_equal(shim_failed(), 1);
	assert_int_equal(taken->drain.taken.count, 1);
	/* until somebody has looked at the disk */
	assert_false(engine_ready(engine, &error));
	assert_non_null(strstr(error.detail, "the end of the disk"));
	assert_true(engine_store(engine)->wants_chores);
}

/* The WAL is checkpointed and cut before the reserve is used. */
static void
drains_on_a_full_disk_cut_the_wal(void **state)
{
	(void)state;
	remove_database(path);
	assert_int_equal(open_engine(path), 0);
	enqueue(engine, keys[0], "1");
	assert_int_equal(engine_turn(engine, &error), 0);
	drain_on_a_full_disk();
	assert_true(reserve_exists());
	shim_disarm();
	close_engine();
	calls_free();
}

/* The reserve is for calls that remove events; enqueues do not get it. */
static void
drains_on_a_full_disk_use_the_reserve(void **state)
{
	(void)state;
	remove_database(path);
	assert_int_equal(open_engine(path), 0);
	enqueue(engine, keys[0], "1");
	assert_int_equal(engine_turn(engine, &error), 0);
	close_engine();
	assert_int_equal(open_engine(path),
			 0); /* with an empty WAL, so that cutting it gives none */
	shim_arm(&full_once);
	struct call *late = enqueue(engine, keys[0], "2");
	assert_int_equal(engine_turn(engine, &error), 0);
	assert_int_equal(late->answered, 0); /* it waits for what the sweep may remove */
	assert_true(reserve_exists());
	drain_on_a_full_disk();
	assert_false(reserve_exists());
	shim_disarm();
	size_t answered;
	assert_int_equal(turn_until_answered(&late, 1, &answered), 0);
	assert_int_equal(late->op.error.code, ERROR_NONE);
	while (engine_chores(engine))
		continue;
	assert_true(reserve_exists());
	close_engine();
	calls_free();
}

static struct clock set_clock; /* what clock_now returns once it is told_clock */

static struct clock
told_clock(void)
{
	return set_clock;
}

static int64_t
read_number(const char *query)
{
	sqlite3 *db;
	sqlite3_stmt *row;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, query, -1, &row, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	int64_t number = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	sqlite3_close(db);
	return number;
}

static void
let_pass(int64_t ms, int64_t jump_ms)
{
	set_clock.wall_ms += ms + jump_ms;
	set_clock.boot_ms += ms;
}

static void
put_and_take(const char *text)
{
	enqueue(engine, keys[0], text);
	assert_int_equal(engine_turn(engine, &error), 0);
	drain(engine, keys[0], 0);
	assert_int_equal(engine_turn(engine, &error), 0);
	calls_free();
}

/* Events, and a clock mark for each that no row needs any more. */
static void
leave_marks(void)
{
	set_clock = clock_now();
	clock_now = told_clock;
	remove_database(path);
	swept = true;
	assert_int_equal(open_engine(path), 0);
	for (int i = 0; i < 5; i++) {
		put_and_take("x");
		let_pass(1, HOUR_MS);
		drain(engine, keys[1], 0); /* a mark that begins with the ids of the next */
		assert_int_equal(engine_turn(engine, &error), 0);
		let_pass(1, HOUR_MS);
	}
	enqueue(engine, keys[0], "still there");
	assert_int_equal(engine_turn(engine, &error), 0);
	while (engine_chores(engine))
		continue;
	assert_int_equal(read_number("SELECT count(*) FROM event"), 1);
	assert_true(read_number("SELECT count(*) FROM clock") > 1);
}

/*
 * Each write fails once that stores the time and removes the marks that no row needs. What is in
 * memory must stay as the table is, or those marks are never removed.
 */
static void
the_time_is_stored_once_the_disk_lets_us(void **state)
{
	(void)state;
	struct clock (*const before)(void) = clock_now;

	for (int k = 1; k < K_MAX; k++) {
		leave_marks();
		let_pass(HOUR_MS, 0);
		int64_t due_ms = read_number("SELECT steady FROM newest") + HOUR_MS / 2;
		shim_arm(&(struct shim_fault){ .kind = SHIM_WRITE, .k = k, .code = SQLITE_FULL });
		while (engine_chores(engine))
			continue;
		bool failed = shim_failed() > 0;
		shim_disarm();
		for (int64_t end_us = clock_monotonic_us() + 10000000;
		     read_number("SELECT steady FROM newest") < due_ms ||
		     read_number("SELECT count(*) FROM clock") > 1;) {
			assert_true(clock_monotonic_us() < end_us);
			engine_chores(engine);
		}
		close_engine();
		calls_free();
		assert_true(failed || k > 1);
		if (!failed)
			break;
	}
	swept = false;
	clock_now = before;
}

static void
enqueue_with_key(int key, const char *text)
{
	struct draft one = draft(keys[key], text);

	one.idempotency = (struct idempotency){ .key = str_of(text), .request = 1 };
	enqueue_draft(engine, one);
}

static void
assert_keys_are_counted(void)
{
	struct engine_stats stats;

	engine_stats(engine, &stats);
	assert_int_equal(stats.store.keys, read_number("SELECT count(*) FROM idempotency"));
	assert_true(stats.store.keys <= 5);
}

/*
 * Four keys more, of which two are too many, when each write fails once, or from then on: the
 * number that the store knows stays that of the rows, or it would forget too many keys later, or
 * too few.
 */
static void
a_batch_that_is_rolled_back_does_not_count_its_keys(void **state)
{
	(void)state;
	static const char *const names[] = { "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8" };

	keys_max = 5;
	for (int run = 0, failed = 1; failed > 0; run++) {
		remove_database(path);
		assert_int_equal(open_engine(path), 0);
		for (size_t i = 0; i < 3; i++)
			enqueue_with_key((int)i % 2, names[i]);
		assert_int_equal(engine_turn(engine, &error), 0);
		shim_arm(&(struct shim_fault){ .kind = SHIM_WRITE,
					       .k = run / 2 + 1,
					       .code = SQLITE_FULL,
					       .from_then_on = run % 2 == 1 });
		for (size_t i = 5; i < COUNT(names); i++)
			enqueue_with_key((int)i % 2, names[i]);
		assert_int_equal(engine_turn(engine, &error), 0);
		failed = shim_failed();
		shim_disarm();
		assert_keys_are_counted();
		assert_true(failed > 0 || run > 0);
		for (size_t i = 5; i < COUNT(names); i++)
			enqueue_with_key((int)i % 2, names[i]);
		assert_int_equal(engine_turn(engine, &error), 0);
		assert_keys_are_counted();
		close_engine();
		calls_free();
		assert_int_equal(open_engine(path), 0);
		assert_keys_are_counted();
		close_engine();
	}
	keys_max = 0;
}

/* A turn has one sync, after all its calls (C1). */
static void
a_turn_needs_one_sync_for_any_number_of_calls(void **state)
{
	(void)state;
	char name[16];
	remove_database(path);
	assert_int_equal(open_engine(path), 0);
	for (int calls = 0; calls < 20; calls++) {
		shim_arm(&(struct shim_fault){ 0 });
		for (int i = 0; i < calls; i++) {
			snprintf(name, sizeof(name), "%d", i);
			enqueue(engine, keys[i % 2], name);
			peek(engine, keys[0]);
		}
		drain(engine, keys[0], 0);
		assert_int_equal(shim_calls(SHIM_SYNC), 0);
		assert_int_equal(engine_turn(engine, &error), 0);
		if (calls > 1) /* the first commit writes the WAL's header too */
			assert_int_equal(shim_calls(SHIM_SYNC), 1);
		calls_free();
	}
	shim_arm(&(struct shim_fault){ 0 });
	peek(engine, keys[0]);
	drain(engine, "agent:main:nothing", 0);
	assert_int_equal(engine_turn(engine, &error), 0);
	assert_int_equal(shim_calls(SHIM_SYNC) + shim_calls(SHIM_WRITE), 0);
	close_engine();
	calls_free();
}

/* The checker must notice a missing event, an extra event, and a wrong order. */
static void
the_checker_finds_differences(void **state)
{
	(void)state;
	struct system_event events[] = { { .text = STR("1") }, { .text = STR("2") } };
	struct system_event_list list = { events, 2 };
	model = (struct model){ .events = { { .text = "1" }, { .text = "2" } }, .count = 2 };
	assert_true(same_list(&model, 0, &list));
	list.count = 1;
	assert_false(same_list(&model, 0, &list));
	model.count = 0;
	assert_false(same_list(&model, 0, &list));
	model = (struct model){ .events = { { .text = "2" }, { .text = "1" } }, .count = 2 };
	list.count = 2;
	assert_false(same_list(&model, 0, &list));
	model = (struct model){ .events = { { .text = "1", .lease = 1 }, { .text = "2" } },
				.count = 2 };
	assert_false(same_list(&model, 0, &list));
}

static int
begin(void **state)
{
	(void)state;
	memset(long_text, 'y', sizeof(long_text) - 1);
	if (make_directory(directory, sizeof(directory), "fault") < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/sevq.db", directory);
	snprintf(copy, sizeof(copy), "%s/copy.db", directory);
	snprintf(template, sizeof(template), "%s/template.db", directory);
	shim_register();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	return remove_directory(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_checker_finds_differences),
		cmocka_unit_test(a_turn_needs_one_sync_for_any_number_of_calls),
		cmocka_unit_test(drains_on_a_full_disk_cut_the_wal),
		cmocka_unit_test(drains_on_a_full_disk_use_the_reserve),
		cmocka_unit_test(the_time_is_stored_once_the_disk_lets_us),
		cmocka_unit_test(a_batch_that_is_rolled_back_does_not_count_its_keys),
		cmocka_unit_test(no_fault_loses_or_invents_an_event),
		cmocka_unit_test(no_fault_breaks_a_lease),
		cmocka_unit_test(no_lost_write_loses_an_event),
		cmocka_unit_test(no_fault_of_a_checkpoint_loses_an_event),
		cmocka_unit_test(no_lost_write_of_a_checkpoint_loses_an_event),
		cmocka_unit_test(a_checkpoint_whose_sync_fails_stops_the_engine),
		cmocka_unit_test(a_sweep_whose_sync_fails_stops_the_engine),
		cmocka_unit_test(deleting_keys_whose_sync_fails_stops_the_engine),
		cmocka_unit_test(a_failed_sync_is_not_retried),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
