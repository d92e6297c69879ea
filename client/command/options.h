/*
 * options.h - the options of the command line.
 *
 * Here: every option of every command, in one table (options.c) that is read into one struct.
 * Not here: which command takes which options (main.c), and what they do.
 */
#ifndef SEVQ_COMMAND_OPTIONS_H
#define SEVQ_COMMAND_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

#include "client/sevq.h"

enum sevq_option {
	/* options of every command */
	SEVQ_OPTION_BASE_URL,
	SEVQ_OPTION_TOKEN,
	SEVQ_OPTION_TOKEN_FILE,
	SEVQ_OPTION_CA_FILE,
	SEVQ_OPTION_CERT,
	SEVQ_OPTION_KEY,
	SEVQ_OPTION_TIMEOUT,
	SEVQ_OPTION_JSON,
	SEVQ_OPTION_HELP,
	/* option before the command only */
	SEVQ_OPTION_VERSION,
	/* options of some commands */
	SEVQ_OPTION_QUIET,
	SEVQ_OPTION_TEXT,
	SEVQ_OPTION_LINES,
	SEVQ_OPTION_LOSSY,
	SEVQ_OPTION_SESSION_KEY,
	SEVQ_OPTION_AGENT,
	SEVQ_OPTION_CHANNEL,
	SEVQ_OPTION_ACCOUNT_ID,
	SEVQ_OPTION_CONTEXT_KEY,
	SEVQ_OPTION_CONTEXT_KEY_PREFIX,
	SEVQ_OPTION_SOURCE,
	SEVQ_OPTION_WAKE,
	SEVQ_OPTION_REPLACE,
	SEVQ_OPTION_ALLOW_DUPLICATE,
	SEVQ_OPTION_DELIVERY,
	SEVQ_OPTION_TRACEPARENT,
	SEVQ_OPTION_LIMIT,
	SEVQ_OPTION_AFTER,
	SEVQ_OPTION_PREFIX,
	SEVQ_OPTION_MIN_AGE,
	SEVQ_OPTION_SORT,
	SEVQ_OPTION_CONTAINS,
	SEVQ_OPTION_PROBLEM,
	SEVQ_OPTION_CURSOR,
	SEVQ_OPTION_YES,
	SEVQ_OPTION_EXACT,
	SEVQ_OPTION_DELAY,
	SEVQ_OPTION_TTL,
	SEVQ_OPTION_IDEMPOTENCY_KEY,
	SEVQ_OPTION_FORMAT,
	SEVQ_OPTION_FOR,
	SEVQ_OPTION_CONSUMER,
	SEVQ_OPTION_EXCLUSIVE,
	SEVQ_OPTION_REASON,
	SEVQ_OPTION_NO_COUNT,
	SEVQ_OPTION_STATE,
	SEVQ_OPTION_SINCE,
	SEVQ_OPTION_UNTIL,
	SEVQ_OPTION_REQUEUE,
	SEVQ_OPTION_REQUEUE_ALL,
	SEVQ_OPTION_DISCARD,
	SEVQ_OPTION_DISCARD_ALL,
	SEVQ_OPTION_DRY_RUN,
	SEVQ_OPTION_RATE,
	SEVQ_OPTION_WAIT,
	SEVQ_OPTION_ONCE,
	SEVQ_OPTION_MAX_ROUNDS,
	SEVQ_OPTION_BACKOFF,
	SEVQ_OPTION_BACKOFF_MAX,
	SEVQ_OPTION_MIN_INTERVAL,
	SEVQ_OPTION_DEBOUNCE,
	SEVQ_OPTION_MAX_PER_MINUTE,
	SEVQ_OPTION_NAME,
	SEVQ_OPTION_SCOPE,
	SEVQ_OPTION_EXPIRES,
	SEVQ_OPTION_ADMIN,
	SEVQ_OPTION_PRINT,
	SEVQ_OPTION_COUNT
};

/* Sets of options that only some commands have: the union of these. */
#define SEVQ_WITH(option) (UINT64_C(1) << ((option)-SEVQ_OPTION_QUIET))

/* The options as given; zero: not given. Texts are borrowed from the command line. */
struct sevq_options {
	const char *base_url, *token, *token_file, *ca_file, *cert_file, *key_file;
	int64_t timeout_ms;
	bool json, help, version, quiet;
	const char *text;
	bool lines, lossy;
	struct sevq_address address;
	const char *context_key, *context_key_prefix, *source, *traceparent;
	enum sevq_wake wake;
	bool replace, allow_duplicate;
	struct sevq_delivery delivery;
	int64_t limit;
	const char *after, *prefix, *sort, *cursor, *contains, *problem;
	int64_t min_age_ms;
	bool yes, exact;
	int64_t delay_ms, ttl_ms;
	const char *idempotency_key;
	bool prompt;
	int64_t lease_ms;
	const char *consumer, *reason;
	bool exclusive, no_count;
	const char *state;
	int64_t since_ms, until_ms; /* since 1970 */
	bool requeue, requeue_all, discard, discard_all, dry_run, wait;
	int64_t rate;
	bool once;
	int64_t max_rounds;
	int64_t backoff_ms, backoff_max_ms;
	int64_t min_interval_ms, debounce_ms, max_per_minute;
	const char *name, *scope, *expires; /* of a token */
	bool admin, print;                  /* of the page */
	char **arguments;                   /* the words that are not options */
	int argument_count;
};

/*
 * Reads the options of every command and those of the set from argv[1] on, and points arguments to
 * the other words. before_command: reading stops at the first word that is no option; else options
 * and arguments may be mixed. Returns -1 after it has reported a mistake (report.h).
 */
int sevq_options_read(int argc, char **argv, uint64_t set, bool before_command,
		      struct sevq_options *options);

/*
 * Whether the words from argv[1] on have --json, before or behind the command and whatever mistakes
 * are among them. argv stays as it is.
 */
bool sevq_options_want_json(int argc, char **argv);

/* How the help names an option. argument NULL: a flag; "a|b": one of these words. */
struct sevq_option_text {
	const char *name, *argument, *about;
};
struct sevq_option_text sevq_option_text(enum sevq_option option);

/* Whether the option may stand before the command, or behind one that has the set. */
bool sevq_option_may_stand(enum sevq_option option, uint64_t set, bool before_command);

/*
 * Returns the option that a name of this length means there, as the command line has it: it may be
 * cut short, or the name until 0.1. SEVQ_OPTION_COUNT: none, or several.
 */
enum sevq_option sevq_option_find(const char *name, size_t len, uint64_t set, bool before_command);

/* Print one line of help for each option: of the set, or of every command. */
void sevq_options_explain(FILE *out, uint64_t set);
void sevq_options_explain_common(FILE *out, bool before_command);

#endif
