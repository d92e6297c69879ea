/*
 * route_command.c - questions read from standard input, answers written to standard output, line by line, so that it
 * can stand in a pipe and be talked to.
 */
#include "server/route_command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "queue/policy/route.h"
#include "schema/json.h"
#include "server/calls/json.h"
#include "server/policy_file.h"

#define EXIT_QUESTION 1 /* some line was no question */
#define EXIT_WRONG_USE 2

static const char help[] =
    "usage: sevqd route [--policy FILE] [--explain]\n"
    "\n"
    "Reads one JSON object per line and prints where the session key is queued:\n"
    "  {\"sessionKey\": .., \"agentId\": .., \"channel\": .., \"accountId\": .., \"cfg\": {..}}\n"
    "cfg, where given, is the OpenClaw config for that line. Prints one line for each:\n"
    "  {\"sessionKey\": .., \"rule\": .., \"rekeyed\": .., \"owner\": ..}   or   {\"error\": .., \"detail\": ..}\n"
    "\n"
    "  --policy FILE  the OpenClaw config for lines without cfg; without it they meet an empty one\n"
    "  --explain      adds the steps, each with why it did or did not apply\n"
    "  --help         prints this, then exits\n"
    "\n"
    "Exits with 1 if a line was not such an object, 2 if used wrongly, 78 if FILE cannot be used.\n";

/* What one run needs. */
struct session {
	struct sevq_policy *policy; /* for lines without cfg */
	bool explain;
	struct sevq_json doc;
	struct sevq_buf out;
};

/* ---- a question ---- */

struct question {
	struct sevq_address address;
	struct sevq_policy *policy; /* the line's own, or NULL */
};

/* A string, or null for absent. */
static int
read_string(const struct sevq_json *doc, size_t value, const char *pointer, struct sevq_arena *arena, struct sevq_str *ret,
	    struct sevq_error *err)
{
	if (doc->tokens[value].type == SEVQ_JSON_NULL)
		return 0;
	if (doc->tokens[value].type != SEVQ_JSON_STRING)
		return sevq_fail_field(err, pointer, "%s is not a string", pointer + 1);
	*ret = sevq_json_string(doc, value, arena);
	return 0;
}

static int
read_policy(const struct sevq_json *doc, size_t value, struct question *question, struct sevq_error *err)
{
	struct sevq_str text = sevq_json_raw(doc, value);

	if (doc->tokens[value].type == SEVQ_JSON_NULL)
		return 0;
	if (doc->tokens[value].type != SEVQ_JSON_OBJECT)
		return sevq_fail_field(err, "/cfg", "cfg is not an object");
	return sevq_policy_parse(text.s, text.len, &question->policy, err);
}

static int
read_member(const struct sevq_json *doc, size_t name, struct sevq_arena *arena, struct question *question, struct sevq_error *err)
{
	struct sevq_str text = sevq_json_string(doc, name, arena);
	const struct {
		const char *pointer;
		struct sevq_str *field;
	} strings[] = {
		{ "/sessionKey", &question->address.session_key },
		{ "/agentId", &question->address.agent_id },
		{ "/channel", &question->address.channel },
		{ "/accountId", &question->address.account_id },
	};

	if (sevq_str_eq(text, SEVQ_STR("cfg")))
		return read_policy(doc, name + 1, question, err);
	for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
		if (sevq_str_eq(text, sevq_str(strings[i].pointer + 1)))
			return read_string(doc, name + 1, strings[i].pointer, arena, strings[i].field, err);
	return sevq_fail(err, SEVQ_INVALID_FIELD, "there is no field %.*s", (int)(text.len < 64 ? text.len : 64), text.s);
}

static int
read_question(struct session *session, struct sevq_str line, struct sevq_arena *arena, struct question *ret, struct sevq_error *err)
{
	struct sevq_json *doc = &session->doc;

	if (sevq_json_scan(doc, line.s, line.len, err) < 0)
		return -1;
	if (doc->tokens[0].type != SEVQ_JSON_OBJECT)
		return sevq_fail(err, SEVQ_INVALID_JSON, "the line is not an object");
	for (size_t name = sevq_json_first(doc, 0); name != 0; name = sevq_json_next(doc, 0, name))
		if (read_member(doc, name, arena, ret, err) < 0)
			return -1;
	return 0; /* no limits on the address: nothing is stored */
}

/* ---- an answer ---- */

static void
write_error(struct sevq_buf *out, const struct sevq_error *err)
{
	sevq_buf_addf(out, "{\"error\":\"%s\",\"detail\":", sevq_code_name(err->code));
	sevq_json_quote(out, sevq_str(err->detail));
	if (err->line > 0)
		sevq_buf_addf(out, ",\"line\":%d,\"column\":%d", err->line, err->column);
	sevq_buf_adds(out, "}");
}

/* Answers one line. False when it was no question; a key that cannot be routed is an answer. */
static bool
answer(struct session *session, struct sevq_str line)
{
	struct sevq_arena arena = { 0 };
	struct question question = { 0 };
	struct sevq_decision decision;
	struct sevq_error err;
	bool understood = read_question(session, line, &arena, &question, &err) == 0;
	const struct sevq_policy *policy = question.policy != NULL ? question.policy : session->policy;

	session->out.len = 0;
	if (understood && sevq_route(policy, &question.address, session->explain, &arena, &decision, &err) == 0)
		sevq_json_add_decision(&session->out, &decision);
	else
		write_error(&session->out, &err);
	sevq_buf_adds(&session->out, "\n");
	fwrite(session->out.data, 1, session->out.len, stdout);
	sevq_policy_free(question.policy);
	sevq_arena_clear(&arena);
	return understood;
}

static int
answer_all(struct session *session)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int code = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((len = getline(&line, &cap, stdin)) >= 0) {
		struct sevq_str text = { line, (size_t)len - (line[len - 1] == '\n') };

		if (sevq_trim(text).len > 0 && !answer(session, text))
			code = EXIT_QUESTION;
	}
	free(line);
	return ferror(stdin) || fflush(stdout) != 0 ? EXIT_QUESTION : code;
}

/* ---- the command line ---- */

static int
load_policy(const char *path, struct sevq_policy **ret)
{
	struct sevq_error err = { 0 };
	int failed = path != NULL ? sevq_policy_file_read(path, ret, &err) : sevq_policy_parse("", 0, ret, &err);

	if (failed == 0)
		return 0;
	fprintf(stderr, "sevqd route: %s", err.detail);
	if (err.line > 0)
		fprintf(stderr, ", at line %d, column %d", err.line, err.column);
	fputc('\n', stderr);
	return EX_CONFIG;
}

int
sevq_route_command(int argc, char **argv)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ "explain", no_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static char name[] = "sevqd route";
	struct session session = { 0 };
	const char *path = NULL;
	int option, code;

	argv[0] = name; /* as getopt says it before what is wrong */
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'p') {
			path = optarg;
		} else if (option == 'e') {
			session.explain = true;
		} else {
			fputs(help, option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : EXIT_WRONG_USE;
		}
	}
	if (optind < argc) {
		fputs(help, stderr);
		return EXIT_WRONG_USE;
	}
	code = load_policy(path, &session.policy);
	if (code == 0)
		code = answer_all(&session);
	sevq_policy_free(session.policy);
	sevq_json_clear(&session.doc);
	sevq_buf_clear(&session.out);
	return code;
}
