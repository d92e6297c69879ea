/*
 * route_command.c - questions read from standard input, answers written to standard output, line by
 * line, so that it can stand in a pipe and be talked to.
 */
#include "server/route_command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "queue/policy/route.h"
#include "schema/json.h"
#include "schema/text.h"
#include "server/calls/json.h"
#include "server/policy_file.h"

#define EXIT_QUESTION 1 /* some line was no question */
#define EXIT_WRONG_USE 2

static const char help[] =
    "usage: sevqd route [--policy FILE] [--owner CHANNEL:ID] [--explain] [KEY...]\n"
    "\n"
    "Prints where each session key is queued. Without any it reads one JSON object per line:\n"
    "  {\"sessionKey\": .., \"agentId\": .., \"channel\": .., \"accountId\": .., \"cfg\": {..}}\n"
    "cfg, where given, is the OpenClaw config for that line, taken as it stands: $include in it "
    "is\n"
    "refused, ${VAR} stays. Prints one line for each:\n"
    "  {\"sessionKey\": .., \"rule\": .., \"rekeyed\": .., \"owner\": ..}   or   {\"error\": .., "
    "\"detail\": ..}\n"
    "\n"
    "  --policy FILE  the OpenClaw config for keys and lines without cfg; without it the one that "
    "sevqd takes\n"
    "  --owner CHANNEL:ID  an owner as sevqd takes them, for all lines; repeatable\n"
    "  --explain      adds the steps, each with why it did or did not apply\n"
    "  --help         prints this, then exits\n"
    "\n"
    "Exits with 1 if a line was not such an object, 2 if used wrongly, 78 if FILE cannot be "
    "used.\n";

/* The state of one run. */
struct questions {
	struct options options; /* policy and owner only */
	struct policy *policy;  /* for lines without cfg */
	bool explain;
	struct json doc;
	struct buf out;
};

/* --- a question --- */

struct question {
	struct address address;
	struct policy *policy; /* the line's own, or NULL */
};

/* A string, or null for absent. */
static int
read_string(const struct json *doc, size_t value, const char *pointer, struct arena *arena,
	    struct str *ret, struct error *err)
{
	if (doc->tokens[value].type == JSON_NULL)
		return 0;
	if (doc->tokens[value].type != JSON_STRING)
		return error_set_field(err, pointer, "%s is not a string", pointer + 1);
	*ret = json_string(doc, value, arena);
	return 0;
}

/* Is there a member $include anywhere in the value? */
static bool
includes(const struct json *doc, size_t value, struct arena *arena)
{
	const bool object = doc->tokens[value].type == JSON_OBJECT;

	if (!object && doc->tokens[value].type != JSON_ARRAY)
		return false;
	for (size_t t = json_first(doc, value); t != 0; t = json_next(doc, value, t))
		if ((object && str_eq(json_string(doc, t, arena), STR("$include"))) ||
		    includes(doc, object ? t + 1 : t, arena))
			return true;
	return false;
}

static int
read_policy(const struct questions *session, size_t value, struct arena *arena,
	    struct question *question, struct error *err)
{
	const struct json *doc = &session->doc;
	struct str text = json_raw(doc, value);

	if (doc->tokens[value].type == JSON_NULL)
		return 0;
	if (doc->tokens[value].type != JSON_OBJECT)
		return error_set_field(err, "/cfg", "cfg is not an object");
	if (includes(doc, value, arena))
		return error_set_field(err, "/cfg",
				       "cfg has $include, which only --policy resolves");
	return policy_file_parse(&session->options, text, &question->policy, err);
}

static int
read_member(const struct questions *session, size_t name, struct arena *arena,
	    struct question *question, struct error *err)
{
	const struct json *doc = &session->doc;
	struct str text = json_string(doc, name, arena);
	const struct {
		const char *pointer;
		struct str *field;
	} strings[] = {
		{ "/sessionKey", &question->address.session_key },
		{ "/agentId", &question->address.agent_id },
		{ "/channel", &question->address.channel },
		{ "/accountId", &question->address.account_id },
	};

	if (str_eq(text, STR("cfg")))
		return read_policy(session, name + 1, arena, question, err);
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		if (str_eq(text, str_of(strings[i].pointer + 1)))
			return read_string(doc, name + 1, strings[i].pointer, arena,
					   strings[i].field, err);
	return error_set(err, ERROR_INVALID_FIELD, "there is no field %.*s",
			 (int)(text.len < 64 ? text.len : 64), text.s);
}

static int
read_question(struct questions *session, struct str line, struct arena *arena, struct question *ret,
	      struct error *err)
{
	struct json *doc = &session->doc;

	if (json_scan(doc, line.s, line.len, err) < 0)
		return -1;
	if (doc->tokens[0].type != JSON_OBJECT)
		return error_set(err, ERROR_INVALID_JSON, "the line is not an object");
	for (size_t name = json_first(doc, 0); name != 0; name = json_next(doc, 0, name))
		if (read_member(session, name, arena, ret, err) < 0)
			return -1;
	return 0; /* no limits on the address: nothing is stored */
}

/* --- an answer --- */

static void
write_error(struct buf *out, const struct error *err)
{
	buf_addf(out, "{\"error\":\"%s\",\"detail\":", error_code_name(err->code));
	json_quote(out, str_of(err->detail));
	if (err->line > 0)
		buf_addf(out, ",\"line\":%d,\"column\":%d", err->line, err->column);
	buf_adds(out, "}");
}

static void
print(struct questions *session)
{
	buf_adds(&session->out, "\n");
	fwrite(session->out.data, 1, session->out.len, stdout);
	session->out.len = 0;
}

/* A key that cannot be routed is an answer too. */
static void
decide(struct questions *session, const struct question *question, struct arena *arena)
{
	const struct policy *policy = question->policy != NULL ? question->policy : session->policy;
	struct decision decision;
	struct error err;

	if (route_decide(policy, &question->address, session->explain, arena, &decision, &err) == 0)
		json_add_decision(&session->out, &decision);
	else
		write_error(&session->out, &err);
	print(session);
}

/* Answers one line. False when it was no question. */
static bool
answer(struct questions *session, struct str line)
{
	struct arena arena = { 0 };
	struct question question = { 0 };
	struct error err;
	bool understood = read_question(session, line, &arena, &question, &err) == 0;

	if (understood) {
		decide(session, &question, &arena);
	} else {
		write_error(&session->out, &err);
		print(session);
	}
	policy_free(question.policy);
	arena_clear(&arena);
	return understood;
}

static int
answer_all(struct questions *session)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int code = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((len = getline(&line, &cap, stdin)) >= 0) {
		struct str text = { line, (size_t)len - (line[len - 1] == '\n') };

		if (text_trim(text).len > 0 && !answer(session, text))
			code = EXIT_QUESTION;
	}
	free(line);
	return ferror(stdin) || fflush(stdout) != 0 ? EXIT_QUESTION : code;
}

/* Answers keys as they stand on the command line. */
static int
answer_keys(struct questions *session, char *const *keys)
{
	int code = 0;

	for (; *keys != NULL; keys++) {
		struct arena arena = { 0 };
		struct question question = { .address.session_key = str_of(*keys) };

		if (!text_is_utf8(*keys, strlen(*keys)))
			code = EXIT_QUESTION;
		else
			decide(session, &question, &arena);
		arena_clear(&arena);
	}
	return fflush(stdout) != 0 ? EXIT_QUESTION : code;
}

/* --- the command line --- */

static int
load_policy(struct questions *session)
{
	const struct options *options = &session->options;
	struct error err = { 0 };

	if (policy_file_load(options, &session->policy, NULL, &err) == 0)
		return 0;
	fprintf(stderr, "sevqd route: %s", err.detail);
	if (err.line > 0)
		fprintf(stderr, ", at line %d, column %d", err.line, err.column);
	fputc('\n', stderr);
	return EX_CONFIG;
}

static int
use_wrongly(const char *why)
{
	if (why != NULL)
		fprintf(stderr, "sevqd route: %s\n", why);
	fputs(help, stderr);
	return EXIT_WRONG_USE;
}

static int
add_owner(struct option_list *owners, const char *text)
{
	struct given_owner owner;
	struct error err;

	if (options_owner(text, &owner, &err) != 0)
		return use_wrongly(err.detail);
	if (owners->count == OPTION_LIST_MAX)
		return use_wrongly("too many owners");
	owners->items[owners->count++] = text;
	return 0;
}

/* -1: go on. */
static int
read_options(struct questions *session, int argc, char **argv)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ "owner", required_argument, NULL, 'o' },
		{ "explain", no_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'p') {
			session->options.policy = optarg;
		} else if (option == 'e') {
			session->explain = true;
		} else if (option == 'h') {
			fputs(help, stdout);
			return 0;
		} else if (option != 'o')
			return use_wrongly(NULL);
		else if (add_owner(&session->options.owner, optarg) != 0)
			return EXIT_WRONG_USE;
	}
	return -1;
}

int
route_command(int argc, char **argv)
{
	static char name[] = "sevqd route";
	struct questions session = { 0 };
	int code;

	argv[0] = name; /* as getopt says it before what is wrong */
	code = read_options(&session, argc, argv);
	if (code >= 0)
		return code;
	code = load_policy(&session);
	if (code == 0)
		code = optind < argc ? answer_keys(&session, argv + optind) : answer_all(&session);
	policy_free(session.policy);
	json_clear(&session.doc);
	buf_clear(&session.out);
	return code;
}
