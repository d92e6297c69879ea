/*
 * Reads the options. One table has a line for each; getopt and the help are fed from it.
 */
#include "client/command/options.h"

#include <assert.h>
#include <getopt.h>
#include <stdlib.h>

#include "client/buffer.h"
#include "client/command/memory.h"
#include "client/command/near.h"
#include "client/command/number.h"
#include "client/command/report.h"
#include "client/command/when.h"

struct description;

/* Reads text into the field at `at`; text is NULL for a flag. false: the value is not valid. */
typedef bool reader(const struct description *option, const char *text, void *at);

/* What values an option takes. */
struct kind {
	reader *read;
	const char *wants; /* for who gives another; NULL: one of the words of the argument */
	int64_t most_ms;   /* of a duration */
};

struct description {
	const char *name, *argument; /* argument NULL: a flag; "a|b": one of these words */
	const struct kind *kind;
	size_t offset;
	const char *about;
};

#define YEAR_MS (INT64_C(365) * 86400000)
#define HOUR_MS (INT64_C(60) * 60000)

static bool
read_text(const struct description *option, const char *text, void *at)
{
	(void)option;
	*(const char **)at = text;
	return true;
}

static bool
read_flag(const struct description *option, const char *text, void *at)
{
	(void)option;
	(void)text;
	*(bool *)at = true;
	return true;
}

static bool
read_number(const struct description *option, const char *text, void *at)
{
	(void)option;
	return sevq_number_read(text, at);
}

static bool
read_duration(const struct description *option, const char *text, void *at)
{
	return sevq_duration_read(text, option->kind->most_ms, at);
}

static bool
read_moment(const struct description *option, const char *text, void *at)
{
	(void)option;
	return sevq_moment_read(text, at);
}

/* Keeps the text if it is one of the words of the argument. */
static bool
read_word(const struct description *option, const char *text, void *at)
{
	const char *word = option->argument;
	size_t len;

	for (;; word += len + 1) {
		len = strcspn(word, "|");
		if (strlen(text) == len && memcmp(word, text, len) == 0)
			return read_text(option, text, at);
		if (word[len] == '\0')
			return false;
	}
}

static bool
read_wake(const struct description *option, const char *text, void *at)
{
	enum sevq_wake *wake = at;

	(void)option;
	if (strcmp(text, "now") == 0)
		*wake = SEVQ_WAKE_NOW;
	else if (strcmp(text, "next-heartbeat") == 0)
		*wake = SEVQ_WAKE_NEXT_HEARTBEAT;
	else
		return false;
	return true;
}

static bool
read_format(const struct description *option, const char *text, void *at)
{
	(void)option;
	*(bool *)at = strcmp(text, "prompt") == 0;
	return *(bool *)at || strcmp(text, "table") == 0;
}

/* Reads one field. A value may hold any character, so further fields need further options. */
static bool
read_delivery(const struct description *option, const char *text, void *at)
{
	static const struct {
		const char *name;
		size_t offset;
	} fields[] = { { "channel=", offsetof(struct sevq_delivery, channel) },
		       { "to=", offsetof(struct sevq_delivery, to) },
		       { "accountId=", offsetof(struct sevq_delivery, account_id) },
		       { "threadId=", offsetof(struct sevq_delivery, thread_id) },
		       /* the names until 0.1 */
		       { "account=", offsetof(struct sevq_delivery, account_id) },
		       { "thread=", offsetof(struct sevq_delivery, thread_id) } };
	size_t i, len;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		len = strlen(fields[i].name);
		if (strncmp(text, fields[i].name, len) == 0)
			return read_text(option, text + len, (char *)at + fields[i].offset);
	}
	return false;
}

/* clang-format off */
static const struct kind
	TEXT = { .read = read_text },
	FLAG = { .read = read_flag },
	NUMBER = { .read = read_number, .wants = "a whole number from 1 on, such as 20" },
	TIME = { .read = read_duration, .wants = "a time such as 5m", .most_ms = 100 * YEAR_MS },
	/* as long as the server delays an event, and lets it live */
	DELAY = { .read = read_duration, .wants = "a time such as 5m, up to 365d", .most_ms = YEAR_MS },
	LEASE_TIME = { .read = read_duration, .wants = "a time such as 5m, up to 1h", .most_ms = HOUR_MS },
	MOMENT = { .read = read_moment, .wants = "a time ago such as 5m, or 2027-01-31T12:00:00Z" },
	WORD = { .read = read_word },
	WAKE = { .read = read_wake },
	FORMAT = { .read = read_format },
	DELIVERY = { .read = read_delivery, .wants = "channel=, to=, accountId= or threadId= and a value" };

#define AT(field) offsetof(struct sevq_options, field)
static const struct description descriptions[SEVQ_OPTION_COUNT] = {
	[SEVQ_OPTION_BASE_URL] = { "base-url", "URL", &TEXT, AT(base_url),
	    "address of the server: http://, https:// or unix:/path (see man sevq)" },
	[SEVQ_OPTION_TOKEN] = { "token", "TOKEN", &TEXT, AT(token),
	    "token for the server; other users see it in the process list" },
	[SEVQ_OPTION_TOKEN_FILE] = { "token-file", "FILE", &TEXT, AT(token_file),
	    "file with the token for the server" },
	[SEVQ_OPTION_CA_FILE] = { "ca-file", "FILE", &TEXT, AT(ca_file),
	    "file with the certificates to trust for https://, in PEM" },
	[SEVQ_OPTION_CERT] = { "cert", "FILE", &TEXT, AT(cert_file),
	    "file with a certificate to show for https://, in PEM" },
	[SEVQ_OPTION_KEY] = { "key", "FILE", &TEXT, AT(key_file),
	    "file with the key of --cert, if it is not in the same file" },
	[SEVQ_OPTION_TIMEOUT] = { "timeout", "TIME", &TIME, AT(timeout_ms),
	    "how long to wait for the answer, of wait for events: 500ms, 90s, 5m (30s); of run: "
	    "how long the command may take" },
	[SEVQ_OPTION_JSON] = { "json", NULL, &FLAG, AT(json),
	    "print the server's answer as JSON" },
	[SEVQ_OPTION_HELP] = { "help", NULL, &FLAG, AT(help),
	    "print this help" },
	[SEVQ_OPTION_VERSION] = { "version", NULL, &FLAG, AT(version),
	    "print the version" },
	[SEVQ_OPTION_QUIET] = { "quiet", NULL, &FLAG, AT(quiet),
	    "print ids only, one in a line: of events, leases or sessions" },
	[SEVQ_OPTION_TEXT] = { "text", "TEXT", &TEXT, AT(text),
	    "text of the event; - reads it from standard input" },
	[SEVQ_OPTION_LINES] = { "lines", NULL, &FLAG, AT(lines),
	    "with -: enqueue every line as an event, all or none" },
	[SEVQ_OPTION_LOSSY] = { "lossy", NULL, &FLAG, AT(lossy),
	    "replace what no event can hold, such as broken UTF-8, by U+FFFD" },
	[SEVQ_OPTION_SESSION_KEY] = { "session-key", "KEY", &TEXT, AT(address.session_key),
	    "the session" },
	[SEVQ_OPTION_AGENT] = { "agent", "ID", &TEXT, AT(address.agent_id),
	    "the agent; without a session key, its main session; of token add: for whom, "
	    "ops,main" },
	[SEVQ_OPTION_CHANNEL] = { "channel", "NAME", &TEXT, AT(address.channel),
	    "channel whose allowlist decides, instead of the key's" },
	[SEVQ_OPTION_ACCOUNT_ID] = { "account-id", "ID", &TEXT, AT(address.account_id),
	    "account whose allowlist decides, instead of the key's" },
	[SEVQ_OPTION_CONTEXT_KEY] = { "context-key", "KEY", &TEXT, AT(context_key),
	    "what the event is about, such as cron:backup" },
	[SEVQ_OPTION_CONTEXT_KEY_PREFIX] = { "context-key-prefix", "TEXT", &TEXT, AT(context_key_prefix),
	    "only events whose context key starts with TEXT" },
	[SEVQ_OPTION_SOURCE] = { "source", "NAME", &TEXT, AT(source),
	    "where the event comes from: exec-event, cron-event, hook, ..." },
	[SEVQ_OPTION_WAKE] = { "wake", "now|next-heartbeat", &WAKE, AT(wake),
	    "when to wake the agent (next-heartbeat); of wait: now means only such events" },
	[SEVQ_OPTION_REPLACE] = { "replace", NULL, &FLAG, AT(replace),
	    "remove queued events with the same context key" },
	[SEVQ_OPTION_ALLOW_DUPLICATE] = { "allow-duplicate", NULL, &FLAG, AT(allow_duplicate),
	    "enqueue it even if the same event is queued" },
	[SEVQ_OPTION_DELIVERY] = { "delivery", "FIELD=VALUE", &DELIVERY, AT(delivery),
	    "where the agent's answer goes: channel=, to=, accountId=, threadId=; repeatable" },
	[SEVQ_OPTION_TRACEPARENT] = { "traceparent", "TEXT", &TEXT, AT(traceparent),
	    "W3C trace context" },
	[SEVQ_OPTION_LIMIT] = { "limit", "N", &NUMBER, AT(limit),
	    "at most N" },
	[SEVQ_OPTION_AFTER] = { "after", "ID", &TEXT, AT(after),
	    "only events behind this one" },
	[SEVQ_OPTION_PREFIX] = { "prefix", "TEXT", &TEXT, AT(prefix),
	    "only session keys that start with TEXT" },
	[SEVQ_OPTION_MIN_AGE] = { "min-age", "TIME", &TIME, AT(min_age_ms),
	    "only sessions that have had something to take for so long: 90s, 5m, 2h, 1d" },
	[SEVQ_OPTION_SORT] = { "sort", "problem|unattended|key|depth|oldest|newest", &WORD, AT(sort),
	    "order (problem: the worst first)" },
	[SEVQ_OPTION_CONTAINS] = { "contains", "TEXT", &TEXT, AT(contains),
	    "only session keys with this part" },
	[SEVQ_OPTION_PROBLEM] = { "problem", "any|stranded|full|unattended|dead", &WORD, AT(problem),
	    "only sessions with this problem" },
	[SEVQ_OPTION_CURSOR] = { "cursor", "TEXT", &TEXT, AT(cursor),
	    "the next page, as the previous one printed it" },
	[SEVQ_OPTION_EXACT] = { "exact", NULL, &FLAG, AT(exact),
	    "the queue of this very key, wherever the policy routes the key" },
	[SEVQ_OPTION_YES] = { "yes", NULL, &FLAG, AT(yes),
	    "do not ask; of token revoke: all tokens of the name" },
	[SEVQ_OPTION_DELAY] = { "delay", "TIME", &DELAY, AT(delay_ms),
	    "events cannot be taken before this time has passed: 500ms, 5s, 2m, 1h" },
	[SEVQ_OPTION_TTL] = { "ttl", "TIME", &DELAY, AT(ttl_ms),
	    "the event expires if it is not taken within this time" },
	[SEVQ_OPTION_IDEMPOTENCY_KEY] = { "idempotency-key", "TEXT", &TEXT, AT(idempotency_key),
	    "repeated with the same key within 24h, the command gets the first answer" },
	[SEVQ_OPTION_FORMAT] = { "format", "table|prompt", &FORMAT, AT(prompt),
	    "a table, or lines for a prompt (table)" },
	[SEVQ_OPTION_FOR] = { "for", "TIME", &LEASE_TIME, AT(lease_ms),
	    "length of the lease (60s)" },
	[SEVQ_OPTION_CONSUMER] = { "consumer", "NAME", &TEXT, AT(consumer),
	    "who takes the events, for their history; of leases: only those of this "
	    "consumer" },
	[SEVQ_OPTION_EXCLUSIVE] = { "exclusive", NULL, &FLAG, AT(exclusive),
	    "nobody else can take events of the session during the lease" },
	[SEVQ_OPTION_REASON] = { "reason", "TEXT", &TEXT, AT(reason),
	    "why, for the history of the events; of history and dead letters: only reasons "
	    "that start with TEXT" },
	[SEVQ_OPTION_NO_COUNT] = { "no-count", NULL, &FLAG, AT(no_count),
	    "do not count this as a failed attempt" },
	[SEVQ_OPTION_STATE] = { "state", "drained|consumed|withdrawn|purged|replaced|evicted|acked|expired|dead|moved",
	    &WORD, AT(state),
	    "only events that left their queue in this way" },
	[SEVQ_OPTION_SINCE] = { "since", "TIME", &MOMENT, AT(since_ms),
	    "only events that left the queue since then: 90s, 5m, 2h, 1d ago, or 2027-01-31T12:00:00Z" },
	[SEVQ_OPTION_UNTIL] = { "until", "TIME", &MOMENT, AT(until_ms),
	    "only events that left the queue until then" },
	[SEVQ_OPTION_REQUEUE] = { "requeue", NULL, &FLAG, AT(requeue),
	    "enqueue the dead letters with these ids again" },
	[SEVQ_OPTION_REQUEUE_ALL] = { "requeue-all", NULL, &FLAG, AT(requeue_all),
	    "enqueue all dead letters again, or all of the session" },
	[SEVQ_OPTION_DISCARD] = { "discard", NULL, &FLAG, AT(discard),
	    "discard the dead letters with these ids" },
	[SEVQ_OPTION_DISCARD_ALL] = { "discard-all", NULL, &FLAG, AT(discard_all),
	    "discard all dead letters, or all of the session" },
	[SEVQ_OPTION_DRY_RUN] = { "dry-run", NULL, &FLAG, AT(dry_run),
	    "change nothing, only print what would be done" },
	[SEVQ_OPTION_RATE] = { "rate", "N", &NUMBER, AT(rate),
	    "spread them, N a second (all at once)" },
	[SEVQ_OPTION_WAIT] = { "wait", NULL, &FLAG, AT(wait),
	    "go on until nothing is left to move, also when leases end" },
	[SEVQ_OPTION_ONCE] = { "once", NULL, &FLAG, AT(once),
	    "one round, without waiting for events" },
	[SEVQ_OPTION_MAX_ROUNDS] = { "max-rounds", "N", &NUMBER, AT(max_rounds),
	    "end after N rounds" },
	[SEVQ_OPTION_BACKOFF] = { "backoff", "TIME", &TIME, AT(backoff_ms),
	    "delay of an event that failed alone, doubled by each attempt (1s)" },
	[SEVQ_OPTION_BACKOFF_MAX] = { "backoff-max", "TIME", &TIME, AT(backoff_max_ms),
	    "longest delay of an event that failed (1h)" },
	[SEVQ_OPTION_MIN_INTERVAL] = { "min-interval", "TIME", &TIME, AT(min_interval_ms),
	    "shortest time from one start of the command to the next" },
	[SEVQ_OPTION_DEBOUNCE] = { "debounce", "TIME", &TIME, AT(debounce_ms),
	    "start once no event has come for this time, at most 10 times as late" },
	[SEVQ_OPTION_MAX_PER_MINUTE] = { "max-per-minute", "N", &NUMBER, AT(max_per_minute),
	    "at most N starts a minute; wake now cuts through these three" },
	[SEVQ_OPTION_NAME] = { "name", "NAME", &TEXT, AT(name),
	    "name of the token, for the log and the history" },
	[SEVQ_OPTION_SCOPE] = { "scope", "LIST", &TEXT, AT(scope),
	    "what the token allows: produce, consume, read, admin (default all)" },
	[SEVQ_OPTION_EXPIRES] = { "expires", "DATE", &TEXT, AT(expires),
	    "when the token expires, in UTC: 2027-01-31 or 2027-01-31T12:00:00Z" },
	[SEVQ_OPTION_ADMIN] = { "admin", NULL, &FLAG, AT(admin),
	    "let the page change what your token may change, not only look" },
	[SEVQ_OPTION_PRINT] = { "print", NULL, &FLAG, AT(print),
	    "open no browser, only print the address" },
};
/* clang-format on */

/* The names until 0.1, which scripts may still have. */
static const struct {
	const char *name;
	enum sevq_option option;
} aliases[] = { { "mode", SEVQ_OPTION_WAKE },
		{ "account", SEVQ_OPTION_ACCOUNT_ID },
		{ "context-prefix", SEVQ_OPTION_CONTEXT_KEY_PREFIX } };

#define ALIASES (sizeof(aliases) / sizeof(aliases[0]))

/*
 * getopt returns an option's number in the set plus FIRST_VALUE, which is larger than the
 * characters that it returns for errors.
 */
#define FIRST_VALUE 256

static_assert(SEVQ_OPTION_COUNT - SEVQ_OPTION_QUIET <= 64, "a set of options has 64 bits");

/* What may stand there on the command line. */
struct place {
	uint64_t set;
	bool before_command;
};

static bool
may_stand(const struct place *place, size_t option)
{
	if (option < SEVQ_OPTION_VERSION)
		return true;
	if (option == SEVQ_OPTION_VERSION)
		return place->before_command;
	return (place->set & SEVQ_WITH(option)) != 0;
}

static struct option
for_getopt(const char *name, int option)
{
	bool takes_value = descriptions[option].argument != NULL;

	return (struct option){ name, takes_value ? required_argument : no_argument, NULL,
				FIRST_VALUE + option };
}

static void
fill_getopt(const struct place *place, struct option long_options[SEVQ_OPTION_COUNT + ALIASES + 1])
{
	size_t count = 0, i;

	for (i = 0; i < SEVQ_OPTION_COUNT; i++)
		if (may_stand(place, i))
			long_options[count++] = for_getopt(descriptions[i].name, (int)i);
	for (i = 0; i < ALIASES; i++)
		if (may_stand(place, aliases[i].option))
			long_options[count++] = for_getopt(aliases[i].name, (int)aliases[i].option);
	memset(&long_options[count], 0, sizeof(long_options[count]));
}

/*
 * Reports a word that is no option of the set, and the one that was probably meant: one that begins
 * so (getopt takes that by itself unless there are several), or is nearly written so. The value
 * behind a "=" is left out.
 */
static void
report_unknown(const char *given, const struct place *place)
{
	char *word = sevq_allocated(strndup(given, strcspn(given, "=")));
	const char *name = word + strspn(word, "-"), *begins = NULL;
	struct sevq_near near = { .word = name };
	size_t i;

	for (i = 0; i < SEVQ_OPTION_COUNT && strncmp(word, "--", 2) == 0; i++) {
		if (!may_stand(place, i))
			continue;
		if (begins == NULL && strncmp(descriptions[i].name, name, strlen(name)) == 0)
			begins = descriptions[i].name;
		sevq_near_offer(&near, descriptions[i].name);
	}
	if (near.best == NULL)
		near.best = begins;
	if (near.best != NULL)
		sevq_report_usage("no option %s; did you mean --%s?", word, near.best);
	else
		sevq_report_usage("no option %s", word);
	free(word);
}

/* Reports what getopt did not take. value: what it returned; word: where it stopped. */
static void
report_refused(int value, const char *word, const struct place *place)
{
	const struct description *option =
	    optopt >= FIRST_VALUE ? &descriptions[optopt - FIRST_VALUE] : NULL;
	char letter[3] = { '-', (char)optopt, '\0' };

	if (value == ':')
		sevq_report_usage("--%s wants a value: --%s %s", option->name, option->name,
				  option->argument);
	else if (option != NULL)
		sevq_report_usage("--%s takes no value", option->name);
	else
		report_unknown(optopt != 0 ? letter : word, place);
}

/* "now or next-heartbeat", of "now|next-heartbeat" */
static void
report_value(const struct description *option, const char *value)
{
	struct sevq_buffer wants = { 0 };
	const char *word = option->argument;
	size_t len;

	for (; option->kind->wants == NULL; word += len + 1) {
		len = strcspn(word, "|");
		sevq_buffer_addf(&wants, "%s%.*s",
				 wants.len == 0      ? ""
				 : word[len] == '\0' ? " or "
						     : ", ",
				 (int)len, word);
		if (word[len] == '\0')
			break;
	}
	sevq_report_usage("--%s %s: want %s", option->name, value,
			  option->kind->wants != NULL ? option->kind->wants
						      : sevq_buffer_text(&wants));
	sevq_buffer_clear(&wants);
}

int
sevq_options_read(int argc, char **argv, uint64_t set, bool before_command,
		  struct sevq_options *options)
{
	struct option long_options[SEVQ_OPTION_COUNT + ALIASES + 1];
	const struct place place = { set, before_command };
	const struct description *option;
	int value;

	fill_getopt(&place, long_options);
	opterr = 0;
	optind = 0; /* makes glibc start over, with its private state too */
	while ((value = getopt_long(argc, argv, before_command ? "+:h" : ":h", long_options,
				    NULL)) != -1) {
		if (value == 'h')
			value = FIRST_VALUE + SEVQ_OPTION_HELP;
		if (value < FIRST_VALUE) {
			report_refused(value, argv[optind - 1], &place);
			return -1;
		}
		option = &descriptions[value - FIRST_VALUE];
		if (!option->kind->read(option, optarg, (char *)options + option->offset)) {
			report_value(option, optarg);
			return -1;
		}
	}
	options->arguments = argv + optind;
	options->argument_count = argc - optind;
	return 0;
}

bool
sevq_options_want_json(int argc, char **argv)
{
	struct option long_options[SEVQ_OPTION_COUNT + ALIASES + 1];
	bool json = false;
	int value;

	fill_getopt(&(struct place){ UINT64_MAX, true }, long_options);
	opterr = 0;
	optind = 0;
	/* "-": other words are values, too, and stay where they are */
	while ((value = getopt_long(argc, argv, "-:h", long_options, NULL)) != -1)
		json |= value == FIRST_VALUE + SEVQ_OPTION_JSON;
	return json;
}

struct sevq_option_text
sevq_option_text(enum sevq_option option)
{
	const struct description *it = &descriptions[option];

	return (struct sevq_option_text){ it->name, it->argument, it->about };
}

bool
sevq_option_may_stand(enum sevq_option option, uint64_t set, bool before_command)
{
	return may_stand(&(struct place){ set, before_command }, option);
}

enum sevq_option
sevq_option_find(const char *name, size_t len, uint64_t set, bool before_command)
{
	struct option long_options[SEVQ_OPTION_COUNT + ALIASES + 1];
	const struct option *option;
	int found = SEVQ_OPTION_COUNT;
	bool several = false;

	fill_getopt(&(struct place){ set, before_command }, long_options);
	for (option = long_options; option->name != NULL; option++) {
		int it = option->val - FIRST_VALUE;

		if (strncmp(option->name, name, len) != 0)
			continue;
		if (option->name[len] == '\0')
			return (enum sevq_option)it;
		several |= found != SEVQ_OPTION_COUNT && found != it;
		found = it;
	}
	return several ? SEVQ_OPTION_COUNT : (enum sevq_option)found;
}

static void
explain(FILE *out, const struct description *option)
{
	char left[64];

	snprintf(left, sizeof(left), "--%s %s", option->name,
		 option->argument != NULL ? option->argument : "");
	fprintf(out, "  %-34s %s\n", left, option->about);
}

void
sevq_options_explain(FILE *out, uint64_t set)
{
	int i;

	for (i = SEVQ_OPTION_QUIET; i < SEVQ_OPTION_COUNT; i++)
		if (set & SEVQ_WITH(i))
			explain(out, &descriptions[i]);
}

void
sevq_options_explain_common(FILE *out, bool before_command)
{
	const struct place place = { 0, before_command };
	size_t i;

	for (i = 0; i < SEVQ_OPTION_QUIET; i++)
		if (may_stand(&place, i))
			explain(out, &descriptions[i]);
}
