/*
 * options.c - the table of options, and the three readers and two writers that it drives.
 *
 * Sources are read from the strongest to the weakest: flags, environment, config file, defaults. A
 * value once given stays, so "stronger wins" needs no bookkeeping but which source gave it; only a
 * list may grow, and only from one source.
 */
#include "server/options.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <unistd.h>

#include "schema/event.h"
#include "schema/number.h"
#include "server/file.h"
#include "server/log.h"

#define CONFIG_BYTES_MAX (1 << 20)
#define NAME_BYTES 64
#define DAY_MS INT64_C(86400000)

enum type { TEXT, LIST, ENDPOINTS, OWNERS, SWITCH, CHOICE, NUMBER };

struct option_row {
	const char *name;
	enum type type;
	size_t offset;
	const char *words; /* CHOICE: "one|two"; else what the help calls the value */
	int64_t number, min, max;
	const char *help;
};

#define AT(member) offsetof(struct options, member)
#define DEFAULT_LISTEN "127.0.0.1:7387"

/* clang-format off */
static const struct option_row rows[] = {
	{ "listen", ENDPOINTS, AT(listen), "ADDR:PORT", 0, 0, 0,
	  "address to listen on, or unix:PATH; repeatable; port 0 takes a free one "
	  "(" DEFAULT_LISTEN ")" },
	{ "db", TEXT, AT(db), "FILE", 0, 0, 0,
	  "database file ($XDG_STATE_HOME/sevq/sevq.db)" },
	{ "backup-dir", TEXT, AT(backup_dir), "DIR", 0, 0, 0,
	  "where \"sevq backup\" puts its copies of the database (none: no backups)" },
	{ "policy", TEXT, AT(policy), "FILE", 0, 0, 0,
	  "OpenClaw config to route by ($OPENCLAW_CONFIG_PATH, else openclaw.json in "
	  "$OPENCLAW_STATE_DIR or ~/.openclaw where it exists, else none)" },
	{ "owner", OWNERS, AT(owner), "CHANNEL:ID", 0, 0, 0,
	  "an owner of a channel, as if the id were in its allowlist, for an owner who is "
	  "paired; repeatable" },
	{ "no-watch-policy", SWITCH, AT(no_watch_policy), NULL, 0, 0, 1,
	  "read the policy again only on SIGHUP or when asked, not when its files change" },
	{ "no-rekey-on-reload", SWITCH, AT(no_rekey_on_reload), NULL, 0, 0, 1,
	  "leave events of a queue that a new policy strands where they are, until "
	  "\"sevq rekey\"" },
	{ "token-file", TEXT, AT(token_file), "FILE", 0, 0, 0,
	  "bearer tokens, one a line, with optional scopes produce,consume,read,admin "
	  "(\"token\" beside the database, made at first start)" },
	{ "no-auth", SWITCH, AT(no_auth), NULL, 0, 0, 1,
	  "ask for no token; refused unless every listener is local" },
	{ "no-page", SWITCH, AT(no_page), NULL, 0, 0, 1,
	  "serve no page for browsers at /" },
	{ "behind-proxy", SWITCH, AT(behind_proxy), NULL, 0, 0, 1,
	  "allow listeners that other machines can reach without --tls-cert; a proxy in front must "
	  "do TLS" },
	{ "tls-cert", TEXT, AT(tls.cert), "FILE", 0, 0, 0,
	  "certificate, and those that vouch for it, in PEM: all listeners but unix sockets speak "
	  "TLS; read again on SIGHUP, with the next two (none: no TLS)" },
	{ "tls-key", TEXT, AT(tls.key), "FILE", 0, 0, 0,
	  "private key of the certificate, in PEM, not open to everybody" },
	{ "tls-client-ca", TEXT, AT(tls.client_ca), "FILE", 0, 0, 0,
	  "let in only clients with a certificate that one of these vouches for, in PEM (none: "
	  "clients need none)" },
	{ "allow-host", LIST, AT(allow_host), "HOST", 0, 0, 0,
	  "another name of this server that clients may use, HOST or HOST:PORT; repeatable" },
	{ "compat", CHOICE, AT(compat), "none|openclaw", COMPAT_NONE, 0, 0,
	  "openclaw: --max-pending 20 --overflow drop-oldest, and unknown fields of a delivery "
	  "context are dropped" },
	{ "overflow", CHOICE, AT(overflow), "reject|drop-oldest", OVERFLOW_REJECT, 0, 0,
	  "at the limit of a session: refuse the new event, or evict the oldest as a dead "
	  "letter" },
	{ "log-level", CHOICE, AT(log_level), "debug|info|warn|error", LOG_INFO, 0, 0,
	  "least severe messages to log; read again on SIGHUP" },
	{ "log-format", CHOICE, AT(log_format), "auto|json|text", LOG_AUTO, 0, 0,
	  "auto: text on a terminal, else JSON lines" },
	{ "max-pending", NUMBER, AT(max_pending), "N", SESSION_PENDING_DEFAULT, 1, 1000000000,
	  "pending events in one session; over it see --overflow" },
	{ "max-pending-total", NUMBER, AT(max_pending_total), "N", PENDING_DEFAULT, 1, 1000000000,
	  "pending events in all sessions; over it 429" },
	{ "max-sessions", NUMBER, AT(max_sessions), "N", SESSIONS_DEFAULT, 1, 1000000000,
	  "sessions with pending events; over it 429" },
	{ "max-batch-events", NUMBER, AT(max_batch_events), "N", BATCH_EVENTS_DEFAULT, 1, 100000,
	  "events in one batch; over it 413" },
	{ "max-attempts", NUMBER, AT(max_attempts), "N", ATTEMPTS_DEFAULT, 1, 255,
	  "failed deliveries after which an event becomes a dead letter" },
	{ "unattended-ms", NUMBER, AT(unattended_ms), "MS", UNATTENDED_MS_DEFAULT, 1, 365 * DAY_MS,
	  "time after which a session is listed as unattended: it has events to take, nobody "
	  "waits for them, and none was taken" },
	{ "retention-ms", NUMBER, AT(retention_ms), "MS", RETENTION_MS_DEFAULT, 0, 36500 * DAY_MS,
	  "how long events stay in the history after they left their queue" },
	{ "retention-rows", NUMBER, AT(retention_rows), "N", RETENTION_ROWS_DEFAULT, 0, INT64_MAX,
	  "how many events the history keeps at most" },
	{ "db-max-bytes", NUMBER, AT(db_max_bytes), "BYTES", 0, 0, INT64_MAX,
	  "size of the database file above which new events get 507; 0: no limit" },
	{ "db-min-free-bytes", NUMBER, AT(db_min_free_bytes), "BYTES", 64 << 20, 0, INT64_MAX,
	  "free disk space below which new events get 507" },
	{ "max-idempotency-keys", NUMBER, AT(max_idempotency_keys), "N", KEYS_DEFAULT, 1, 1000000000,
	  "idempotency keys kept in all; over it the oldest are forgotten before their 24 hours" },
	{ "max-session-idempotency-keys", NUMBER, AT(max_session_idempotency_keys), "N",
	  SESSION_KEYS_DEFAULT, 1, 1000000000,
	  "idempotency keys kept of one token for one session; over it the oldest are forgotten" },
	{ "allow-network-fs", SWITCH, AT(allow_network_fs), NULL, 0, 0, 1,
	  "allow a database on a network file system" },
	{ "max-body-bytes", NUMBER, AT(max_body_bytes), "BYTES", BODY_BYTES_DEFAULT, 1024, 1 << 30,
	  "size of a request body; over it 413" },
	{ "max-header-bytes", NUMBER, AT(max_header_bytes), "BYTES", HEADER_BYTES_DEFAULT,
	  512, 1 << 20,
	  "size of the request line and headers; over it 431" },
	{ "max-target-bytes", NUMBER, AT(max_target_bytes), "BYTES", 8192, 128, 1 << 20,
	  "size of a request target; over it 414" },
	{ "max-connections", NUMBER, AT(max_connections), "N", 10000, 1, 1000000,
	  "connections in all; over it the one is closed that has waited longest for a request or "
	  "the rest of its headers, else 429" },
	{ "max-connections-per-address", NUMBER, AT(max_connections_per_address), "N", 5000,
	  1, 1000000,
	  "connections from one address (IPv6: one /64); over it 429" },
	{ "max-pipelined-bytes", NUMBER, AT(max_pipelined_bytes), "BYTES", 65536, 1024, 1 << 30,
	  "bytes read ahead of the request under way; the rest waits in the kernel" },
	{ "max-buffered-bytes", NUMBER, AT(max_buffered_bytes), "BYTES", 256 << 20, 1 << 20,
	  INT64_MAX,
	  "bytes buffered for all connections, with answers until they are read; over it large "
	  "bodies and calls with large answers get 429" },
	{ "max-waiters", NUMBER, AT(max_waiters), "N", 5000, 1, 1000000,
	  "calls waiting for events; over it 429" },
	{ "max-streams", NUMBER, AT(max_streams), "N", 100, 0, 1000000,
	  "open streams; over it 429" },
	{ "stream-buffer", NUMBER, AT(stream_buffer), "BYTES", 256 << 10, 4096, 1 << 30,
	  "bytes buffered for one slow reader of a stream; over it the stream is closed" },
	{ "stream-ping-ms", NUMBER, AT(stream_ping_ms), "MS", 15000, 10, DAY_MS,
	  "time between two pings on a stream" },
	{ "max-requests-per-connection", NUMBER, AT(max_requests_per_connection), "N", 10000,
	  1, INT64_MAX,
	  "requests on one connection before it is closed" },
	{ "header-timeout-ms", NUMBER, AT(header_timeout_ms), "MS", 10000, 10, DAY_MS,
	  "time for the headers of a request to arrive; over it 408" },
	{ "body-timeout-ms", NUMBER, AT(body_timeout_ms), "MS", 30000, 10, DAY_MS,
	  "time for the body of a request to arrive; over it 408" },
	{ "min-body-rate", NUMBER, AT(min_body_rate), "BYTES", 1024, 0, 1 << 30,
	  "bytes a second that must arrive of a body, over any five seconds; under it 408" },
	{ "response-timeout-ms", NUMBER, AT(response_timeout_ms), "MS", 60000, 10, DAY_MS,
	  "time for a client to read its answer; over it the connection is closed" },
	{ "idle-timeout-ms", NUMBER, AT(idle_timeout_ms), "MS", 60000, 10, DAY_MS,
	  "time between two requests; over it the connection is closed" },
	{ "linger-timeout-ms", NUMBER, AT(linger_timeout_ms), "MS", 2000, 10, DAY_MS,
	  "time for a client to read the last answer before the connection is closed" },
	{ "shutdown-grace-ms", NUMBER, AT(shutdown_grace_ms), "MS", 5000, 0, DAY_MS,
	  "time for connections to end after SIGTERM" },
};
/* clang-format on */

#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define FIRST_ROW_FLAG 256

/* Flags that are no options: they say what to do, or where options are. */
static const struct option actions[] = { { "config", required_argument, NULL, 'c' },
					 { "help", no_argument, NULL, 'h' },
					 { "version", no_argument, NULL, 'V' },
					 { "check-config", no_argument, NULL, 'k' },
					 { "print-config", no_argument, NULL, 'p' } };

#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

/*
 * Variables that are no options: of --config, of the sevq command, and those that sevq run gives to
 * what it runs.
 */
static const char *const other_variables[] = {
	"SEVQ_CONFIG", "SEVQ_URL",         "SEVQ_TOKEN",       "SEVQ_CA_FILE", "SEVQ_CERT",
	"SEVQ_KEY",    "SEVQ_SESSION_KEY", "SEVQ_EVENT_COUNT", "SEVQ_LEASE_ID"
};

enum source { UNSET, FLAG, ENVIRONMENT, FILE_, DEFAULT };

struct loading {
	struct options *options;
	enum source given[ROWS];
};

static const char *
keep(struct loading *l, const char *text, size_t len)
{
	return arena_dup(&l->options->arena, (struct str){ text, len }).s;
}

static void *
place(const struct option_row *row, const struct options *options)
{
	return (char *)(uintptr_t)options + row->offset;
}

static bool
is_list(enum type type)
{
	return type == LIST || type == ENDPOINTS || type == OWNERS;
}

int
options_owner(const char *text, struct given_owner *ret, struct error *err)
{
	const char *colon = strchr(text, ':');
	struct str channel, id;

	if (colon == NULL || !text_is_utf8(text, strlen(text)))
		return error_set(err, ERROR_CONFIG, "\"%.64s\" is not CHANNEL:ID", text);
	channel = text_trim((struct str){ text, (size_t)(colon - text) });
	id = text_trim(str_of(colon + 1));
	if (channel.len == 0 || id.len == 0)
		return error_set(err, ERROR_CONFIG, "\"%.64s\" is not CHANNEL:ID", text);
	*ret = (struct given_owner){ channel, id };
	return 0;
}

static int
set_list(struct loading *l, const struct option_row *row, const char *text, struct error *err)
{
	struct option_list *list = place(row, l->options);
	struct endpoint endpoint;
	struct given_owner owner;

	if ((row->type == ENDPOINTS && endpoint_parse(text, &endpoint, err) != 0) ||
	    (row->type == OWNERS && options_owner(text, &owner, err) != 0))
		return -1;
	if (list->count == OPTION_LIST_MAX)
		return error_set(err, ERROR_CONFIG, "at most %d values", OPTION_LIST_MAX);
	list->items[list->count++] = keep(l, text, strlen(text));
	return 0;
}

static int
set_choice(struct loading *l, const struct option_row *row, const char *text, struct error *err)
{
	int choice = 0;

	for (const char *word = row->words;; choice++) {
		size_t len = strcspn(word, "|");

		if (strlen(text) == len && memcmp(word, text, len) == 0) {
			*(int *)place(row, l->options) = choice;
			return 0;
		}
		if (word[len] == '\0')
			return error_set(err, ERROR_CONFIG, "\"%.64s\" is not one of %s", text,
					 row->words);
		word += len + 1;
	}
}

static int
set_number(struct loading *l, const struct option_row *row, const char *text, struct error *err)
{
	int64_t number;

	if (number_parse(str_of(text), row->min, row->max, &number) != NUMBER_PARSED)
		return error_set(err, ERROR_CONFIG, "\"%.64s\" is not a number from %lld to %lld",
				 text, (long long)row->min, (long long)row->max);
	*(int64_t *)place(row, l->options) = number;
	return 0;
}

static int
set_switch(struct loading *l, const struct option_row *row, const char *text, struct error *err)
{
	bool on = strcmp(text, "1") == 0 || strcmp(text, "true") == 0;

	if (!on && strcmp(text, "0") != 0 && strcmp(text, "false") != 0)
		return error_set(err, ERROR_CONFIG, "\"%.64s\" is neither true nor false", text);
	*(bool *)place(row, l->options) = on;
	return 0;
}

static int
set_text(struct loading *l, const struct option_row *row, const char *text, struct error *err)
{
	if (*text == '\0')
		return error_set(err, ERROR_CONFIG, "must not be empty");
	*(const char **)place(row, l->options) = keep(l, text, strlen(text));
	return 0;
}

static int (*const setters[])(struct loading *, const struct option_row *, const char *,
			      struct error *) = {
	[TEXT] = set_text,     [LIST] = set_list,     [ENDPOINTS] = set_list, [OWNERS] = set_list,
	[SWITCH] = set_switch, [CHOICE] = set_choice, [NUMBER] = set_number,
};

/* Sets one option from one source. called: the option's name as the operator wrote it there. */
static int
set(struct loading *l, size_t row, enum source source, const char *called, const char *text,
    struct error *err)
{
	struct error why;

	if (l->given[row] != UNSET && l->given[row] != source)
		return 0;
	l->given[row] = source;
	if (setters[rows[row].type](l, &rows[row], text, &why) == 0)
		return 0;
	return error_set(err, source == FLAG ? ERROR_USAGE : ERROR_CONFIG, "%s: %s", called,
			 why.detail);
}

/* --- flags --- */

static int
act(struct options *options, int flag)
{
	switch (flag) {
	case 'c':
		options->config = optarg;
		return 0;
	case 'h':
		options->action = ACTION_HELP;
		return 0;
	case 'V':
		options->action = ACTION_VERSION;
		return 0;
	case 'k':
		options->action = ACTION_CHECK_CONFIG;
		return 0;
	case 'p':
		options->action = ACTION_PRINT_CONFIG;
		return 0;
	default:
		return -1;
	}
}

static int
load_flags(struct loading *l, int argc, char **argv, struct error *err)
{
	struct option flags[ROWS + ACTIONS + 1] = { { 0 } };
	int flag;

	for (size_t i = 0; i < ROWS; i++)
		flags[i] =
		    (struct option){ rows[i].name,
				     rows[i].type == SWITCH ? no_argument : required_argument, NULL,
				     FIRST_ROW_FLAG + (int)i };
	memcpy(flags + ROWS, actions, sizeof(actions));
	opterr = 0;
	optind = 0; /* from the start, also the second time */
	while ((flag = getopt_long(argc, argv, "+:h", flags, NULL)) != -1) {
		if (flag == ':')
			return error_set(err, ERROR_USAGE, "%s needs a value", argv[optind - 1]);
		if (flag >= FIRST_ROW_FLAG) {
			size_t row = (size_t)(flag - FIRST_ROW_FLAG);
			char called[NAME_BYTES];

			snprintf(called, sizeof(called), "--%s", rows[row].name);
			if (set(l, row, FLAG, called, rows[row].type == SWITCH ? "1" : optarg,
				err) != 0)
				return -1;
		} else if (act(l->options, flag) != 0)
			return error_set(err, ERROR_USAGE,
					 "%s: unknown or ambiguous option; see --help",
					 argv[optind - 1]);
	}
	return optind == argc ? 0
			      : error_set(err, ERROR_USAGE, "%s: unexpected argument; see --help",
					  argv[optind]);
}

/* --- environment --- */

static void
variable_name(const struct option_row *row, char name[NAME_BYTES])
{
	size_t n = (size_t)snprintf(name, NAME_BYTES, "SEVQ_%s", row->name);

	for (size_t i = 5; i < n; i++)
		name[i] = row->name[i - 5] == '-' ? '_' : (char)(row->name[i - 5] - ('a' - 'A'));
}

/* Items of a list are separated by commas, as no address and no host name has one. */
static int
set_items(struct loading *l, size_t row, const char *called, const char *text, struct error *err)
{
	for (size_t len;; text += len + 1) {
		len = strcspn(text, ",");
		if (set(l, row, ENVIRONMENT, called, keep(l, text, len), err) != 0)
			return -1;
		if (text[len] == '\0')
			return 0;
	}
}

static bool
known_variable(const char *variable, size_t len)
{
	char name[NAME_BYTES];

	for (size_t i = 0; i < ROWS; i++) {
		variable_name(&rows[i], name);
		if (strlen(name) == len && memcmp(name, variable, len) == 0)
			return true;
	}
	for (size_t i = 0; i < sizeof(other_variables) / sizeof(other_variables[0]); i++)
		if (strlen(other_variables[i]) == len &&
		    memcmp(other_variables[i], variable, len) == 0)
			return true;
	return false;
}

static int
load_environment(struct loading *l, struct error *err)
{
	char name[NAME_BYTES];

	for (char **e = environ; *e != NULL; e++)
		if (strncmp(*e, "SEVQ_", 5) == 0 && !known_variable(*e, strcspn(*e, "=")))
			return error_set(err, ERROR_CONFIG,
					 "%.*s: unknown variable; unset it, or see --help",
					 (int)strcspn(*e, "="), *e);
	for (size_t i = 0; i < ROWS; i++) {
		const char *value;
		int failed;

		variable_name(&rows[i], name);
		value = getenv(name);
		if (value == NULL)
			continue;
		failed = is_list(rows[i].type) ? set_items(l, i, name, value, err)
					       : set(l, i, ENVIRONMENT, name, value, err);
		if (failed)
			return -1;
	}
	if (l->options->config == NULL)
		l->options->config = getenv("SEVQ_CONFIG");
	return 0;
}

/* --- config file --- */

static void
key_name(const struct option_row *row, char name[NAME_BYTES])
{
	size_t n = 0;

	for (const char *c = row->name; *c != '\0'; c++)
		name[n++] = *c == '-' ? (char)(*++c - ('a' - 'A')) : *c;
	name[n] = '\0';
}

static bool
type_fits(const struct option_row *row, enum json_type type)
{
	switch (row->type) {
	case NUMBER:
		return type == JSON_NUMBER;
	case SWITCH:
		return type == JSON_TRUE || type == JSON_FALSE;
	default:
		return type == JSON_STRING;
	}
}

static int
set_token(struct loading *l, size_t row, const char *called, const struct json *doc, size_t token,
	  struct error *err)
{
	static const char *const wanted[] = { [TEXT] = "a string",
					      [LIST] = "a string or an array of strings",
					      [ENDPOINTS] = "a string or an array of strings",
					      [OWNERS] = "a string or an array of strings",
					      [SWITCH] = "true or false",
					      [CHOICE] = "a string",
					      [NUMBER] = "a number" };
	struct str text;

	if (!type_fits(&rows[row], doc->tokens[token].type))
		return error_set(err, ERROR_CONFIG, "%s: must be %s", called,
				 wanted[rows[row].type]);
	text = doc->tokens[token].type == JSON_STRING ? json_string(doc, token, &l->options->arena)
						      : json_raw(doc, token);
	return set(l, row, FILE_, called, keep(l, text.s, text.len), err);
}

static int
set_member(struct loading *l, const struct json *doc, size_t member, struct error *err)
{
	struct str name = json_string(doc, member, &l->options->arena);
	bool many = doc->tokens[member + 1].type == JSON_ARRAY;
	char key[NAME_BYTES];

	for (size_t i = 0; i < ROWS; i++) {
		key_name(&rows[i], key);
		if (!str_eq(str_of(key), name))
			continue;
		if (!many || !is_list(rows[i].type))
			return set_token(l, i, key, doc, member + 1, err);
		for (size_t t = json_first(doc, member + 1); t != 0;
		     t = json_next(doc, member + 1, t))
			if (set_token(l, i, key, doc, t, err) != 0)
				return -1;
		return 0;
	}
	return error_set(err, ERROR_CONFIG, "%.*s: unknown option; see --help", (int)name.len,
			 name.s);
}

static int
set_members(struct loading *l, const struct json *doc, struct error *err)
{
	if (doc->tokens[0].type != JSON_OBJECT)
		return error_set(err, ERROR_CONFIG, "the file must hold one JSON object");
	for (size_t t = json_first(doc, 0); t != 0; t = json_next(doc, 0, t))
		if (set_member(l, doc, t, err) != 0)
			return -1;
	return 0;
}

static int
load_file(struct loading *l, const char *path, struct error *err)
{
	struct buf text = { 0 }, strict = { 0 };
	struct json doc = { 0 };
	struct error why = { 0 };
	int failed;

	failed = file_read(path, CONFIG_BYTES_MAX, &text, err);
	if (!failed) {
		failed = json_relax(text.data, text.len, &strict, &why) ||
			 json_scan(&doc, strict.data, strict.len, &why) ||
			 set_members(l, &doc, &why);
		if (failed) {
			error_set(err, ERROR_CONFIG, "%s: %s", path, why.detail);
			err->line = why.line;
			err->column = why.column;
		}
	}
	json_clear(&doc);
	buf_clear(&strict);
	buf_clear(&text);
	return failed;
}

/* --- defaults, and what must hold for all together --- */

static void
load_defaults(struct loading *l)
{
	struct options *o = l->options;

	for (size_t i = 0; i < ROWS; i++) {
		if (l->given[i] != UNSET)
			continue;
		if (rows[i].type == NUMBER)
			*(int64_t *)place(&rows[i], o) = rows[i].number;
		else if (rows[i].type == CHOICE)
			*(int *)place(&rows[i], o) = (int)rows[i].number;
	}
	if (o->listen.count == 0)
		o->listen = (struct option_list){ .items = { DEFAULT_LISTEN }, .count = 1 };
}

static enum source
source_of(const struct loading *l, size_t offset)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].offset == offset)
			return l->given[i];
	assert(false);
	return UNSET;
}

static void
apply_compat(struct loading *l)
{
	if (l->options->compat != COMPAT_OPENCLAW)
		return;
	if (source_of(l, AT(max_pending)) == UNSET)
		l->options->max_pending = COMPAT_SESSION_PENDING;
	if (source_of(l, AT(overflow)) == UNSET)
		l->options->overflow = OVERFLOW_DROP_OLDEST;
}

static int
place_database(struct loading *l, struct error *err)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	struct buf path = { 0 };

	if (l->options->db != NULL)
		return 0;
	/* a relative one is to be ignored, says its specification */
	if (state != NULL && *state == '/')
		buf_addf(&path, "%s/sevq/sevq.db", state);
	else if (home != NULL && *home != '\0')
		buf_addf(&path, "%s/.local/state/sevq/sevq.db", home);
	else
		return error_set(err, ERROR_CONFIG, "no path for the database: set --db or HOME");
	l->options->db = keep(l, path.data, path.len);
	buf_clear(&path);
	return 0;
}

int
options_check_listener(const struct options *o, const char *text, const struct endpoint *endpoint,
		       struct error *err)
{
	if (endpoint_is_local(endpoint))
		return 0;
	if (o->no_auth)
		return error_set(err, ERROR_CONFIG,
				 "no-auth is refused because other machines can reach %s; "
				 "listen on a loopback address or a unix socket",
				 text);
	if (!o->behind_proxy && o->tls.cert == NULL)
		return error_set(err, ERROR_CONFIG,
				 "listen: other machines can reach %s; give --tls-cert and "
				 "--tls-key, or put a TLS proxy in front and give --behind-proxy",
				 text);
	return 0;
}

static int
check_tls(const struct options *o, struct error *err)
{
	if (o->tls.cert != NULL && o->tls.key == NULL)
		return error_set(err, ERROR_CONFIG, "tls-cert: needs tls-key, too");
	if (o->tls.key != NULL && o->tls.cert == NULL)
		return error_set(err, ERROR_CONFIG, "tls-key: needs tls-cert, too");
	if (o->tls.client_ca != NULL && o->tls.cert == NULL)
		return error_set(err, ERROR_CONFIG,
				 "tls-client-ca: needs tls-cert and tls-key, too");
	return 0;
}

static int
check_listeners(const struct options *o, struct error *err)
{
	struct endpoint endpoint;

	for (size_t i = 0; i < o->listen.count; i++)
		if (endpoint_parse(o->listen.items[i], &endpoint, err) != 0 ||
		    options_check_listener(o, o->listen.items[i], &endpoint, err) != 0)
			return -1;
	return 0;
}

int
options_load(struct options *ret, int argc, char **argv, struct error *err)
{
	struct loading l = { .options = ret };

	if (load_flags(&l, argc, argv, err) != 0)
		return -1;
	if (ret->action == ACTION_HELP || ret->action == ACTION_VERSION)
		return 0;
	if (load_environment(&l, err) != 0)
		return -1;
	if (ret->config != NULL && load_file(&l, ret->config, err) != 0)
		return -1;
	load_defaults(&l);
	apply_compat(&l);
	return place_database(&l, err) || check_tls(ret, err) || check_listeners(ret, err) ? -1 : 0;
}

void
options_clear(struct options *options)
{
	arena_clear(&options->arena);
	*options = (struct options){ 0 };
}

void
options_engine(const struct options *options, struct engine_options *ret)
{
	engine_options_init(ret);
	ret->batch_events_max = (size_t)options->max_batch_events;
	ret->session_pending_max = (size_t)options->max_pending;
	ret->sessions_max = (size_t)options->max_sessions;
	ret->pending_max = (size_t)options->max_pending_total;
	ret->overflow = (enum overflow)options->overflow;
	ret->attempts_max = (int)options->max_attempts;
	ret->retention_ms = options->retention_ms;
	ret->unattended_ms = options->unattended_ms;
	ret->rekey_on_reload = !options->no_rekey_on_reload;
	ret->retention_rows = (size_t)options->retention_rows;
	ret->answer_bytes_max = (size_t)options->max_buffered_bytes / ANSWER_SHARE;
}

/* --- writers --- */

static struct str
choice_word(const char *words, int choice)
{
	for (; choice > 0; choice--)
		words += strcspn(words, "|") + 1;
	return (struct str){ words, strcspn(words, "|") };
}

static void
help_row(struct buf *out, const struct option_row *row)
{
	int used = row->words != NULL ? snprintf(NULL, 0, "  --%s %s", row->name, row->words)
				      : snprintf(NULL, 0, "  --%s", row->name);
	struct str word =
	    row->type == CHOICE ? choice_word(row->words, (int)row->number) : STR_NULL;

	buf_addf(out, "  --%s%s%s", row->name, row->words != NULL ? " " : "",
		 row->words != NULL ? row->words : "");
	buf_addf(out, "%*s%s", used < 38 ? 38 - used : 1, "", row->help);
	if (row->type == NUMBER)
		buf_addf(out, " (%lld)", (long long)row->number);
	else if (row->type == CHOICE)
		buf_addf(out, " (%.*s)", (int)word.len, word.s);
	buf_adds(out, "\n");
}

void
options_help(struct buf *out)
{
	buf_adds(
	    out,
	    "Usage: sevqd [OPTION...]         serve\n"
	    "       sevqd route [OPTION...]   try a policy on lines of JSON\n"
	    "       sevqd check [OPTION...]   say what is wrong with a database\n"
	    "       sevqd salvage [OPTION...] NEW_FILE   copy what can be read of a damaged one\n"
	    "       sevqd restore [OPTION...] BACKUP     go back to a backup\n"
	    "Each has its own --help.\n\n"
	    "A durable queue for the system events of OpenClaw agents.\n\n"
	    "  --config FILE                       read options from FILE, JSON with comments; "
	    "--max-pending is maxPending there\n"
	    "  --check-config                      check options, policy, tokens and TLS files, "
	    "and "
	    "exit\n"
	    "  --print-config                      print the options in force as a config file, "
	    "and exit\n"
	    "  --help, --version                   print this help, or the version, and exit\n\n");
	for (size_t i = 0; i < ROWS; i++)
		help_row(out, &rows[i]);
	buf_adds(
	    out,
	    "\nA flag overrides the environment variable, the variable the config file, and the "
	    "file the default in parentheses.\n"
	    "The variable of --max-pending is SEVQ_MAX_PENDING; lists are separated by commas "
	    "there.\n"
	    "SIGHUP reloads the log level and format, the policy, the tokens and the TLS files. "
	    "SIGTERM and SIGINT answer what is under way and stop.\n\n"
	    "Exit status: 0 stopped by a signal; 2 wrong command line; 69 out of memory; "
	    "70 the outcome of a commit is unknown, start again;\n"
	    "71 cannot listen; 74 cannot open, read or write the database; 75 another process "
	    "has the database open or writes to it;\n"
	    "78 wrong config, policy, token or TLS file, or the database is damaged, foreign or of "
	    "a "
	    "newer version.\n");
}

static void
print_list(struct buf *out, const struct option_list *list)
{
	buf_adds(out, "[");
	for (size_t i = 0; i < list->count; i++) {
		buf_adds(out, i > 0 ? ", " : "");
		json_quote(out, str_of(list->items[i]));
	}
	buf_adds(out, "]");
}

static void
print_value(struct buf *out, const struct option_row *row, const struct options *options)
{
	const void *value = place(row, options);

	switch (row->type) {
	case TEXT:
		json_quote(out, str_of(*(const char *const *)value));
		break;
	case LIST:
	case ENDPOINTS:
	case OWNERS:
		print_list(out, value);
		break;
	case SWITCH:
		buf_adds(out, *(const bool *)value ? "true" : "false");
		break;
	case CHOICE:
		json_quote(out, choice_word(row->words, *(const int *)value));
		break;
	case NUMBER:
		buf_add_int(out, *(const int64_t *)value);
		break;
	}
}

void
options_print(const struct options *options, struct buf *out)
{
	const char *before = "{\n";
	char key[NAME_BYTES];

	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].type == TEXT && *(const char *const *)place(&rows[i], options) == NULL)
			continue; /* the default place, which a file cannot name */
		key_name(&rows[i], key);
		buf_addf(out, "%s  \"%s\": ", before, key);
		print_value(out, &rows[i], options);
		before = ",\n";
	}
	buf_adds(out, "\n}\n");
}
