/*
 * prompt_test.c - prompts made from events (ROUTING section 8): a table for each rule, and every
 * vector.
 *
 * The program's argument is the file of vectors. Time zones are tested in zone_test.c.
 */
#include "schema/prompt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "schema/json.h"
#include "schema/zone.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define TS_MS INT64_C(1767604023000)
#define STAMP "System: [2026-01-05T09:07:03Z] "
#define ID16 "abcdefghijklmnop"
#define ID64 ID16 ID16 ID16 ID16

static const char *vectors_path;

struct prompt_event {
	struct str text, context_key;
	int64_t ts_ms;
};

/* Appends the lines of the events, joined by LF. False: there are none. */
static bool
write_all(struct buf *out, const struct prompt_event *events, size_t count, struct str zone_name)
{
	struct buf quoted = { 0 };
	struct arena arena = { 0 };
	struct json doc = { 0 };
	struct str text;
	struct zone zone;

	buf_adds(&quoted, "\"");
	zone_enter(&zone, &arena, zone_name);
	for (size_t i = 0; i < count; i++)
		if (prompt_has_lines(prompt_kind(text_trim(events[i].text), events[i].context_key)))
			prompt_write(&quoted, &zone, events[i].text, events[i].context_key,
				     events[i].ts_ms, quoted.len == 1);
	zone_leave(&zone);
	buf_adds(&quoted, "\"");
	assert_int_equal(json_scan(&doc, quoted.data, quoted.len, NULL), 0);
	text = json_string(&doc, 0, &arena);
	buf_add(out, text.s, text.len);
	json_clear(&doc);
	arena_clear(&arena);
	buf_clear(&quoted);
	return text.len > 0;
}

/* want NULL: the prompt is empty. */
static void
assert_says(struct prompt_event *events, size_t count, const char *want)
{
	struct buf out = { 0 };

	buf_adds(&out, "before|");
	assert_int_equal(write_all(&out, events, count, STR("utc")), want != NULL);
	buf_add(&out, "", 1);
	assert_memory_equal(out.data, "before|", 7);
	assert_string_equal(out.data + 7, want != NULL ? want : "");
	buf_clear(&out);
}

static void
assert_text_says(const char *text, const char *want)
{
	assert_says(&(struct prompt_event){ str_of(text), STR_NULL, TS_MS }, 1, want);
}

static void
an_exec_completion_is_recognised_by_its_text(void **state)
{
	static const char *const completions[] = {
		"exec finished: ok",
		"Exec Finished:",
		"exec finished(1)",
		"exec finished \n\u3000(gateway)",
		"\ufeff exec finished: ok",
		"Exec completed (abcd1234, code 0)",
		"exec failed (A-b_9, code -12) :: out",
		"EXEC FAILED (a, SIGNAL SIGKILL)",
		"exec failed (a, signal it, then\nthat ()",
		"exec completed (a, code 0) :: ",
		"exec completed (a, code 0) :: one\n\ntwo",
		"  exec completed (" ID64 ", code 007)",
	};
	static const char *const others[] = {
		"",
		" ",
		"exec finished",
		"exec finished ok",
		"exec finished\u200b(",
		"exec finished :",
		"the exec finished: ok",
		"exec  completed (a, code 0)",
		"exec completed(a, code 0)",
		"exec completed (, code 0)",
		"exec completed (a b, code 0)",
		"exec completed (\u00e9, code 0)",
		"exec completed (\u0131, code 0)",
		"exec completed (" ID64 "x, code 0)",
		"exec completed (a,code 0)",
		"exec completed (a, code )",
		"exec completed (a, code -)",
		"exec completed (a, code 0x)",
		"exec completed (a, code 0",
		"exec completed (a, code",
		"exec completed (a, signal )",
		"exec completed (a, signal x",
		"exec completed (a, timeout)",
		"exec completed (a, code 0) ",
		"exec completed (a, code 0)\n\nout",
		"exec completed (a, code 0) ::out",
		"exec completed (a, code 0) ::",
		"exec completed (a, code 0).",
		"exec started (a, code 0)",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(completions); i++)
		if (prompt_kind(str_of(completions[i]), STR_NULL) != PROMPT_EXEC_COMPLETION)
			fail_msg("no completion: %s", completions[i]);
	for (size_t i = 0; i < COUNT(others); i++)
		if (prompt_kind(str_of(others[i]), STR_NULL) == PROMPT_EXEC_COMPLETION)
			fail_msg("a completion: %s", others[i]);
}

static void
noise_is_left_out(void **state)
{
	static const char *const noise[] = {
		"Reason Periodic",
		"a reason periodic b",
		"the HEARTBEAT POLL ran",
		"heartbeat wake",
		"heartbeat wa\u212ae", /* KELVIN SIGN */
		"Read HEARTBEAT.md please",
		" \u2003read heartbeat.md",
		"Node: x \u00b7 reason periodic",
		"Node: x \u00b7 last input heartbeat poll \u00b7 y",
		"",
		" \n\ufeff",
	};
	static const char *const kept[] = { "heartbeat", "please read heartbeat.md",
					    "reason  periodic", "heartbeat\npoll", "\u200b" };

	(void)state;
	for (size_t i = 0; i < COUNT(noise); i++)
		assert_text_says(noise[i], NULL);
	for (size_t i = 0; i < COUNT(kept); i++) {
		struct buf out = { 0 };

		assert_true(write_all(&out, &(struct prompt_event){ str_of(kept[i]), STR_NULL, 0 },
				      1, STR("utc")));
		buf_clear(&out);
	}
}

static void
an_exec_completion_can_be_left_out_too(void **state)
{
	(void)state;
	assert_int_equal(prompt_kind(STR("exec finished: heartbeat poll"), STR_NULL),
			 PROMPT_EXEC_LEFT_OUT);
	assert_int_equal(
	    prompt_kind(STR("exec finished: heartbeat poll"), STR("session-created:agent:main:x")),
	    PROMPT_EXEC_COMPLETION);
}

static void
a_notice_of_a_new_session_is_unchanged(void **state)
{
	const struct str notice = STR("session-created:agent:main:x"),
			 other = STR("session-created");
	const struct str text = STR(" Node: heartbeat poll \u00b7 last input 5s \u00b7 x ");

	(void)state;
	assert_says(&(struct prompt_event){ text, notice, TS_MS }, 1,
		    STAMP "Node: heartbeat poll \u00b7 last input 5s \u00b7 x");
	assert_says(&(struct prompt_event){ text, other, TS_MS }, 1, NULL);
	assert_says(&(struct prompt_event){ STR(" "), notice, TS_MS }, 1, NULL);
}

static void
the_last_input_of_a_node_is_left_out(void **state)
{
	static const struct {
		const char *text, *want;
	} nodes[] = {
		{ "Node: x \u00b7 last input 5s ago \u00b7 mode ui", "Node: x\u00b7 mode ui" },
		{ "Node: x \u00b7 last input 5s ago", "Node: x" },
		{ "Node: x  \u00b7 last input 5s ago", "Node: x" },
		{ " Node: x \u00b7 LAST Input 5s\nago\u00b7y ", "Node: x\u00b7y" },
		{ "Node: \u00b7 last input 1 \u00b7 last input 2 \u00b7",
		  "Node:\u00b7 last input 2 \u00b7" },
		{ "Node: \u00b7 last input \u00b7 last input 2 \u00b7",
		  "Node: \u00b7 last input\u00b7" },
		{ "Node: \u00b7 last input ", "Node: \u00b7 last input" },
		{ "Node: \u00b7 last inputs 5 \u00b7 x", "Node: \u00b7 last inputs 5 \u00b7 x" },
		{ "Node:\u00b7 last input 5 \u00b7 x", "Node:\u00b7 last input 5 \u00b7 x" },
		{ "node: x \u00b7 last input 5 \u00b7 x", "node: x \u00b7 last input 5 \u00b7 x" },
		{ "Box \u00b7 last input 5s ago \u00b7 mode ui",
		  "Box \u00b7 last input 5s ago \u00b7 mode ui" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(nodes); i++) {
		char want[128];

		snprintf(want, sizeof(want), STAMP "%s", nodes[i].want);
		assert_text_says(nodes[i].text, want);
	}
}

static void
every_line_has_a_prefix(void **state)
{
	struct prompt_event events[] = {
		{ STR("heartbeat poll"), STR_NULL, 0 },
		{ STR("\na\nSystem: b\n\r\nc\n"), STR("key"), TS_MS },
		{ STR("heartbeat poll"), STR_NULL, 0 },
		{ STR("d"), STR_NULL, 0 },
		{ STR("heartbeat poll"), STR_NULL, 0 },
	};

	(void)state;
	assert_says(events, COUNT(events),
		    STAMP "a\nSystem: System: b\nSystem: \r\nSystem: c\n"
			  "System: [1970-01-01T00:00:00Z] d");
}

/* What a piece of a text becomes. */
static const struct {
	const char *in, *out;
} pieces[] = {
	{ "a", "a" },
	{ "\n", "\nSystem: " },
	{ "\r\n", "\r\nSystem: " },
	{ "\v", "\nSystem: " },
	{ "\f", "\nSystem: " },
	{ "\xc2\x85", "\nSystem: " },
	{ "\u2028", "\nSystem: " },
	{ "\u2029", "\nSystem: " },
	{ "\r", "\nSystem: " }, /* but not before a LF */
};

#define BARE_CR (COUNT(pieces) - 1)

/* Whatever program shows the block, and whichever line breaks it knows, no line lacks a prefix. */
static void
every_line_break_of_unicode_gets_a_prefix(void **state)
{
	const size_t all = COUNT(pieces);

	(void)state;
	for (size_t i = 0; i < all * all * all; i++) {
		const size_t chosen[] = { i % all, i / all % all, i / all / all, 0 };
		struct buf text = { 0 }, want = { 0 };

		buf_adds(&text, "x");
		buf_adds(&want, STAMP "x");
		for (size_t k = 0; k < COUNT(chosen); k++) {
			bool stays = chosen[k] == BARE_CR && pieces[chosen[k + 1]].in[0] == '\n';

			buf_adds(&text, pieces[chosen[k]].in);
			buf_adds(&want, stays ? "\r" : pieces[chosen[k]].out);
		}
		buf_add(&text, "", 1);
		buf_add(&want, "", 1);
		assert_text_says(text.data, want.data);
		buf_clear(&text);
		buf_clear(&want);
	}
}

static void
what_resembles_a_line_break_stays(void **state)
{
	static const char *const others[] = {
		"a\xc2\x84z", "a\xc2\x86z", "a\u00a0z", "a\u00e2z", "a\u2000z",
		"a\u2027z",   "a\u202az",   "a\x1cz",   "a\x1ez",   "a\tz",
	};
	char want[64];

	(void)state;
	for (size_t i = 0; i < COUNT(others); i++) {
		snprintf(want, sizeof(want), STAMP "%s", others[i]);
		assert_text_says(others[i], want);
	}
}

static void
without_lines_there_is_no_block(void **state)
{
	(void)state;
	assert_says(NULL, 0, NULL);
}

/* --- the vectors --- */

/* The value of this name in an object; 0 when it is absent or null. */
static size_t
member(const struct json *doc, size_t object, const char *name)
{
	for (size_t t = json_first(doc, object); t != 0; t = json_next(doc, object, t))
		if (str_eq(json_raw(doc, t), str_of(name)))
			return doc->tokens[t + 1].type != JSON_NULL ? t + 1 : 0;
	return 0;
}

static struct str
text_of(const struct json *doc, size_t object, const char *name, struct arena *arena)
{
	size_t value = member(doc, object, name);

	return value != 0 ? json_string(doc, value, arena) : STR_NULL;
}

#define EVENTS_MAX 1000

static void
check_vector(const struct json *doc)
{
	static struct prompt_event events[EVENTS_MAX];
	struct arena arena = { 0 };
	size_t queued = member(doc, 0, "events"), expect = member(doc, 0, "expect"), count = 0;
	size_t left = member(doc, expect, "remaining"), next_left = json_first(doc, left);
	struct str name = text_of(doc, 0, "name", &arena),
		   want = text_of(doc, expect, "block", &arena);
	struct str process_tz = text_of(doc, 0, "processTZ", &arena);
	struct buf out = { 0 };
	bool any;

	for (size_t t = json_first(doc, queued); t != 0; t = json_next(doc, queued, t)) {
		struct prompt_event event = { text_of(doc, t, "text", &arena),
					      text_of(doc, t, "contextKey", &arena), 0 };

		assert_true(json_int64(doc, member(doc, t, "ts"), &event.ts_ms));
		if (prompt_kind(event.text, STR_NULL) != PROMPT_EXEC_COMPLETION) {
			assert_true(count < EVENTS_MAX);
			events[count++] = event;
			continue;
		}
		if (next_left == 0 || !str_eq(event.text, json_string(doc, next_left, &arena)))
			fail_msg("%.*s: leaves %.*s", (int)name.len, name.s, (int)event.text.len,
				 event.text.s);
		next_left = json_next(doc, left, next_left);
	}
	if (next_left != 0)
		fail_msg("%.*s: takes what remains", (int)name.len, name.s);

	assert_int_equal(setenv("TZ", arena_dup(&arena, process_tz).s, 1), 0);
	any = write_all(&out, events, count, text_of(doc, 0, "userTimezone", &arena));
	if (any != (want.s != NULL) || !str_eq((struct str){ out.data, out.len }, want))
		fail_msg("%.*s: %.*s", (int)name.len, name.s, (int)out.len, out.data);
	buf_clear(&out);
	arena_clear(&arena);
}

static void
every_vector_holds(void **state)
{
	FILE *file = fopen(vectors_path, "r");
	struct json doc = { 0 };
	struct error err;
	char *line = NULL;
	size_t cap = 0, count = 0;

	(void)state;
	assert_non_null(file);
	for (ssize_t len; (len = getline(&line, &cap, file)) > 0; count++) {
		assert_int_equal(json_scan(&doc, line, (size_t)len, &err), 0);
		check_vector(&doc);
	}
	assert_true(count > 0);
	free(line);
	json_clear(&doc);
	fclose(file);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exec_completion_is_recognised_by_its_text),
		cmocka_unit_test(noise_is_left_out),
		cmocka_unit_test(an_exec_completion_can_be_left_out_too),
		cmocka_unit_test(a_notice_of_a_new_session_is_unchanged),
		cmocka_unit_test(the_last_input_of_a_node_is_left_out),
		cmocka_unit_test(every_line_has_a_prefix),
		cmocka_unit_test(every_line_break_of_unicode_gets_a_prefix),
		cmocka_unit_test(what_resembles_a_line_break_stays),
		cmocka_unit_test(without_lines_there_is_no_block),
		cmocka_unit_test(every_vector_holds),
	};

	if (argc != 2) {
		fputs("usage: unit-prompt VECTORS\n", stderr);
		return 2;
	}
	vectors_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
