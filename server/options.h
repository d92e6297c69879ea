/*
 * options.h - what the operator can choose, from flags, environment, config file and defaults, in
 * that order.
 *
 * Here: one constant table drives all four, --help, --print-config and --check-config; values are
 * checked one by one and together. An option NAME-OF-IT is the flag --name-of-it, the variable
 * NAME_OF_IT and the config key nameOfIt. Not here: opening what the options name. There are no
 * secrets among them: tokens live in their file.
 */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include "queue/engine.h"
#include "queue/policy/given_owner.h"
#include "schema/mem.h"
#include "server/http/endpoint.h"
#include "server/http/tls.h"

#define OPTION_LIST_MAX 32
#define ANSWER_SHARE 2 /* one answer may need half of --max-buffered-bytes */

enum run_action {
	ACTION_SERVE,
	ACTION_HELP,
	ACTION_VERSION,
	ACTION_CHECK_CONFIG,
	ACTION_PRINT_CONFIG
};
enum compat { COMPAT_NONE, COMPAT_OPENCLAW };

struct option_list {
	const char *items[OPTION_LIST_MAX];
	size_t count;
};

/* All zero is empty. Numbers are int64_t, choices int: the table writes them by type. */
struct options {
	struct option_list listen, allow_host, owner;
	/* policy and token_file NULL: the default places */
	const char *config, *db, *policy, *token_file, *backup_dir;
	bool no_auth, behind_proxy, allow_network_fs, no_watch_policy, no_rekey_on_reload, no_page;
	struct tls_files tls; /* cert NULL: no TLS */
	int compat, overflow, log_level, log_format;

	/* events, sessions */
	int64_t max_pending, max_pending_total, max_sessions, max_batch_events;
	int64_t max_attempts, retention_ms, retention_rows, db_max_bytes, db_min_free_bytes,
	    max_idempotency_keys, max_session_idempotency_keys;
	int64_t unattended_ms;
	int64_t max_waiters, max_streams, stream_buffer, stream_ping_ms;
	int64_t max_body_bytes, max_header_bytes, max_target_bytes; /* one request */
	int64_t max_connections, max_connections_per_address, max_pipelined_bytes,
	    max_buffered_bytes;
	int64_t max_requests_per_connection;
	int64_t header_timeout_ms, body_timeout_ms, min_body_rate, response_timeout_ms,
	    idle_timeout_ms, linger_timeout_ms;
	int64_t shutdown_grace_ms;

	enum run_action action;
	struct arena arena; /* the texts above */
};

/*
 * Fills an empty struct. Failures: ERROR_USAGE for the command line, ERROR_CONFIG for the
 * environment, the config file and choices that do not go together. Clear it in either case.
 */
int options_load(struct options *ret, int argc, char **argv, struct error *err);
/*
 * Whether the options allow to listen at the endpoint, which is called text. options_load has
 * checked those of --listen.
 */
int options_check_listener(const struct options *options, const char *text,
			   const struct endpoint *endpoint, struct error *err);
void options_clear(struct options *options);

/* Takes an owner CHANNEL:ID apart, borrowed from the text. ERROR_CONFIG. */
int options_owner(const char *text, struct given_owner *ret, struct error *err);

void options_help(struct buf *out);
/* a config file that says the same */
void options_print(const struct options *options, struct buf *out);

void options_engine(const struct options *options, struct engine_options *ret);

#endif
