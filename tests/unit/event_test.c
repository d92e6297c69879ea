/* event_test.c - ids, names of enums, and the checks of a draft. */
#include "schema/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void
only_issued_ids_are_ids(void **state)
{
	static const char *const others[] = { "",
					      "0",
					      "01",
					      "-1",
					      "+1",
					      " 1",
					      "1 ",
					      "1.0",
					      "1e3",
					      "0x1",
					      "abc",
					      "9223372036854775808",
					      "99999999999999999999" };
	int64_t id = 77;

	(void)state;
	assert_true(event_id_parse(STR("1"), &id));
	assert_int_equal(id, 1);
	assert_true(event_id_parse(STR("9223372036854775807"), &id));
	assert_true(id == INT64_MAX);
	for (size_t i = 0; i < COUNT(others); i++)
		assert_false(event_id_parse(str_of(others[i]), &id));
	assert_true(id == INT64_MAX);
}

/* The numbers are stored in databases, so they must not change. */
static void
stored_words_keep_their_numbers(void **state)
{
	(void)state;
	assert_string_equal(rule_name((enum rule)0), "keep");
	assert_string_equal(rule_name((enum rule)1), "main-alias");
	assert_string_equal(rule_name((enum rule)2), "cron-run");
	assert_string_equal(rule_name((enum rule)3), "direct-main");
	assert_string_equal(rule_name((enum rule)4), "isolated-heartbeat");
	assert_string_equal(wake_name((enum wake)0), "next-heartbeat");
	assert_string_equal(wake_name((enum wake)1), "now");
}

static void
a_draft_is_normalised(void **state)
{
	struct arena arena = { 0 };
	struct draft draft = {
		.address.session_key = STR(" main "),
		.text = STR("\n Exec completed \u3000"),
		.context_key = STR(" Cron:Job-1 "),
		.source = STR(" "),
		.traceparent = STR(" 00-a "),
		.replace = true,
	};

	(void)state;
	assert_int_equal(draft_check(&draft, &arena, NULL), 0);
	assert_true(str_eq(draft.text, STR("Exec completed")));
	assert_true(str_eq(draft.context_key, STR("cron:job-1")));
	assert_null(draft.source.s);
	assert_true(str_eq(draft.traceparent, STR("00-a")));
	/* unchanged: it is stored as it was sent */
	assert_true(str_eq(draft.address.session_key, STR(" main ")));
	arena_clear(&arena);
}

static void
a_blank_context_key_is_absent(void **state)
{
	struct draft draft = { .text = STR("x"), .context_key = STR(" \ufeff") };

	(void)state;
	assert_int_equal(draft_check(&draft, NULL, NULL), 0);
	assert_null(draft.context_key.s);
}

static void
assert_refused(struct draft draft, const char *pointer)
{
	struct arena arena = { 0 };
	struct error err;

	assert_int_equal(draft_check(&draft, &arena, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID_FIELD);
	assert_string_equal(err.pointer, pointer);
	assert_true(err.detail[0] != '\0');
	arena_clear(&arena);
}

static void
a_blank_text_is_refused(void **state)
{
	(void)state;
	assert_refused((struct draft){ .text = STR(" \n\ufeff") }, "/text");
	assert_refused((struct draft){ .text = STR_NULL }, "/text");
}

static void
replace_needs_a_context_key(void **state)
{
	(void)state;
	assert_refused((struct draft){ .text = STR("x"), .replace = true }, "/replace");
	assert_refused((struct draft){ .text = STR("x"), .context_key = STR(" "), .replace = true },
		       "/replace");
}

static const struct {
	size_t offset, bytes_max;
	const char *pointer;
} limits[] = {
	{ offsetof(struct draft, text), TEXT_BYTES_MAX, "/text" },
	{ offsetof(struct draft, context_key), CONTEXT_KEY_BYTES_MAX, "/contextKey" },
	{ offsetof(struct draft, source), SOURCE_BYTES_MAX, "/source" },
	{ offsetof(struct draft, traceparent), TRACEPARENT_BYTES_MAX, "/traceparent" },
	{ offsetof(struct draft, address.session_key), SESSION_KEY_BYTES_MAX, "/sessionKey" },
	{ offsetof(struct draft, address.agent_id), AGENT_ID_BYTES_MAX, "/agentId" },
	{ offsetof(struct draft, address.channel), CHANNEL_BYTES_MAX, "/channel" },
	{ offsetof(struct draft, address.account_id), ACCOUNT_ID_BYTES_MAX, "/accountId" },
	{ offsetof(struct draft, delivery.channel), DELIVERY_FIELD_BYTES_MAX,
	  "/deliveryContext/channel" },
	{ offsetof(struct draft, delivery.to), DELIVERY_FIELD_BYTES_MAX, "/deliveryContext/to" },
	{ offsetof(struct draft, delivery.account_id), DELIVERY_FIELD_BYTES_MAX,
	  "/deliveryContext/accountId" },
	{ offsetof(struct draft, delivery.thread_id), DELIVERY_FIELD_BYTES_MAX,
	  "/deliveryContext/threadId" },
};

static void
every_field_has_its_limit(void **state)
{
	char *text = mem_alloc(TEXT_BYTES_MAX + 2);

	(void)state;
	memset(text, 'a', TEXT_BYTES_MAX + 1);
	for (size_t i = 0; i < COUNT(limits); i++) {
		struct draft draft = { .text = STR("x") };
		struct str *field = (struct str *)((char *)&draft + limits[i].offset);

		*field = (struct str){ text, limits[i].bytes_max };
		assert_int_equal(draft_check(&draft, NULL, NULL), 0);
		*field = (struct str){ text, limits[i].bytes_max + 1 };
		assert_refused(draft, limits[i].pointer);
	}
	free(text);
}

static void
white_space_around_a_text_is_not_counted(void **state)
{
	char *text = mem_alloc(TEXT_BYTES_MAX + 2);
	struct draft draft = { .text = { text, TEXT_BYTES_MAX + 2 } };

	(void)state;
	memset(text, 'a', TEXT_BYTES_MAX + 2);
	text[0] = text[TEXT_BYTES_MAX + 1] = ' ';
	assert_int_equal(draft_check(&draft, NULL, NULL), 0);
	assert_int_equal(draft.text.len, TEXT_BYTES_MAX);
	free(text);
}

/* U+0130 takes two bytes, its lower case three. */
static void
a_context_key_is_limited_before_and_after_folding(void **state)
{
	char key[CONTEXT_KEY_BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(key); i += 2)
		memcpy(key + i, "\u0130", 2);
	assert_refused((struct draft){ .text = STR("x"), .context_key = { key, sizeof(key) } },
		       "/contextKey");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_issued_ids_are_ids),
		cmocka_unit_test(stored_words_keep_their_numbers),
		cmocka_unit_test(a_draft_is_normalised),
		cmocka_unit_test(a_blank_context_key_is_absent),
		cmocka_unit_test(a_blank_text_is_refused),
		cmocka_unit_test(replace_needs_a_context_key),
		cmocka_unit_test(every_field_has_its_limit),
		cmocka_unit_test(white_space_around_a_text_is_not_counted),
		cmocka_unit_test(a_context_key_is_limited_before_and_after_folding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
