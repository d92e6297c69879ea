/*
 * event_test.c - ids, names, and what a draft must be.
 */
#include "schema/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void
only_issued_ids_are_ids(void **state)
{
	static const char *const others[] = {
		"", "0", "01", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "abc", "9223372036854775808", "99999999999999999999"
	};
	int64_t id = 77;

	(void)state;
	assert_true(sevq_event_id_parse(SEVQ_STR("1"), &id));
	assert_int_equal(id, 1);
	assert_true(sevq_event_id_parse(SEVQ_STR("9223372036854775807"), &id));
	assert_true(id == INT64_MAX);
	for (size_t i = 0; i < COUNT(others); i++)
		assert_false(sevq_event_id_parse(sevq_str(others[i]), &id));
	assert_true(id == INT64_MAX);
}

/* They are stored, so they stay. */
static void
stored_words_keep_their_numbers(void **state)
{
	(void)state;
	assert_string_equal(sevq_rule_name((enum sevq_rule)0), "keep");
	assert_string_equal(sevq_rule_name((enum sevq_rule)1), "main-alias");
	assert_string_equal(sevq_rule_name((enum sevq_rule)2), "cron-run");
	assert_string_equal(sevq_rule_name((enum sevq_rule)3), "direct-main");
	assert_string_equal(sevq_wake_name((enum sevq_wake)0), "next-heartbeat");
	assert_string_equal(sevq_wake_name((enum sevq_wake)1), "now");
}

static void
a_draft_is_normalised(void **state)
{
	struct sevq_arena arena = { 0 };
	struct sevq_draft draft = {
		.address.session_key = SEVQ_STR(" main "),
		.text = SEVQ_STR("\n Exec completed \u3000"),
		.context_key = SEVQ_STR(" Cron:Job-1 "),
		.source = SEVQ_STR(" "),
		.traceparent = SEVQ_STR(" 00-a "),
		.replace = true,
	};

	(void)state;
	assert_int_equal(sevq_draft_check(&draft, &arena, NULL), 0);
	assert_true(sevq_str_eq(draft.text, SEVQ_STR("Exec completed")));
	assert_true(sevq_str_eq(draft.context_key, SEVQ_STR("cron:job-1")));
	assert_null(draft.source.s);
	assert_true(sevq_str_eq(draft.traceparent, SEVQ_STR("00-a")));
	assert_true(sevq_str_eq(draft.address.session_key, SEVQ_STR(" main "))); /* as sent: it is stored like that */
	sevq_arena_clear(&arena);
}

static void
a_blank_context_key_is_none(void **state)
{
	struct sevq_draft draft = { .text = SEVQ_STR("x"), .context_key = SEVQ_STR(" \ufeff") };

	(void)state;
	assert_int_equal(sevq_draft_check(&draft, NULL, NULL), 0);
	assert_null(draft.context_key.s);
}

static void
assert_refused(struct sevq_draft draft, const char *pointer)
{
	struct sevq_arena arena = { 0 };
	struct sevq_error err;

	assert_int_equal(sevq_draft_check(&draft, &arena, &err), -1);
	assert_int_equal(err.code, SEVQ_INVALID_FIELD);
	assert_string_equal(err.pointer, pointer);
	assert_true(err.detail[0] != '\0');
	sevq_arena_clear(&arena);
}

static void
a_blank_text_is_refused(void **state)
{
	(void)state;
	assert_refused((struct sevq_draft){ .text = SEVQ_STR(" \n\ufeff") }, "/text");
	assert_refused((struct sevq_draft){ .text = SEVQ_STR_NULL }, "/text");
}

static void
replace_needs_a_context_key(void **state)
{
	(void)state;
	assert_refused((struct sevq_draft){ .text = SEVQ_STR("x"), .replace = true }, "/replace");
	assert_refused((struct sevq_draft){ .text = SEVQ_STR("x"), .context_key = SEVQ_STR(" "), .replace = true }, "/replace");
}

static const struct {
	size_t offset, bytes_max;
	const char *pointer;
} limits[] = {
	{ offsetof(struct sevq_draft, text), SEVQ_TEXT_BYTES_MAX, "/text" },
	{ offsetof(struct sevq_draft, context_key), SEVQ_CONTEXT_KEY_BYTES_MAX, "/contextKey" },
	{ offsetof(struct sevq_draft, source), SEVQ_SOURCE_BYTES_MAX, "/source" },
	{ offsetof(struct sevq_draft, traceparent), SEVQ_TRACEPARENT_BYTES_MAX, "/traceparent" },
	{ offsetof(struct sevq_draft, address.session_key), SEVQ_SESSION_KEY_BYTES_MAX, "/sessionKey" },
	{ offsetof(struct sevq_draft, address.agent_id), SEVQ_AGENT_ID_BYTES_MAX, "/agentId" },
	{ offsetof(struct sevq_draft, address.channel), SEVQ_CHANNEL_BYTES_MAX, "/channel" },
	{ offsetof(struct sevq_draft, address.account_id), SEVQ_ACCOUNT_ID_BYTES_MAX, "/accountId" },
	{ offsetof(struct sevq_draft, delivery.channel), SEVQ_DELIVERY_FIELD_BYTES_MAX, "/deliveryContext/channel" },
	{ offsetof(struct sevq_draft, delivery.to), SEVQ_DELIVERY_FIELD_BYTES_MAX, "/deliveryContext/to" },
	{ offsetof(struct sevq_draft, delivery.account_id), SEVQ_DELIVERY_FIELD_BYTES_MAX, "/deliveryContext/accountId" },
	{ offsetof(struct sevq_draft, delivery.thread_id), SEVQ_DELIVERY_FIELD_BYTES_MAX, "/deliveryContext/threadId" },
};

static void
every_field_has_its_limit(void **state)
{
	char *text = sevq_alloc(SEVQ_TEXT_BYTES_MAX + 2);

	(void)state;
	memset(text, 'a', SEVQ_TEXT_BYTES_MAX + 1);
	for (size_t i = 0; i < COUNT(limits); i++) {
		struct sevq_draft draft = { .text = SEVQ_STR("x") };
		struct sevq_str *field = (struct sevq_str *)((char *)&draft + limits[i].offset);

		*field = (struct sevq_str){ text, limits[i].bytes_max };
		assert_int_equal(sevq_draft_check(&draft, NULL, NULL), 0);
		*field = (struct sevq_str){ text, limits[i].bytes_max + 1 };
		assert_refused(draft, limits[i].pointer);
	}
	free(text);
}

static void
white_space_around_a_text_does_not_count(void **state)
{
	char *text = sevq_alloc(SEVQ_TEXT_BYTES_MAX + 2);
	struct sevq_draft draft = { .text = { text, SEVQ_TEXT_BYTES_MAX + 2 } };

	(void)state;
	memset(text, 'a', SEVQ_TEXT_BYTES_MAX + 2);
	text[0] = text[SEVQ_TEXT_BYTES_MAX + 1] = ' ';
	assert_int_equal(sevq_draft_check(&draft, NULL, NULL), 0);
	assert_int_equal(draft.text.len, SEVQ_TEXT_BYTES_MAX);
	free(text);
}

/* U+0130 takes two bytes, its lower case three. */
static void
a_context_key_is_measured_after_folding_too(void **state)
{
	char key[SEVQ_CONTEXT_KEY_BYTES_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof key; i += 2)
		memcpy(key + i, "\u0130", 2);
	assert_refused((struct sevq_draft){ .text = SEVQ_STR("x"), .context_key = { key, sizeof key } }, "/contextKey");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_issued_ids_are_ids),
		cmocka_unit_test(stored_words_keep_their_numbers),
		cmocka_unit_test(a_draft_is_normalised),
		cmocka_unit_test(a_blank_context_key_is_none),
		cmocka_unit_test(a_blank_text_is_refused),
		cmocka_unit_test(replace_needs_a_context_key),
		cmocka_unit_test(every_field_has_its_limit),
		cmocka_unit_test(white_space_around_a_text_does_not_count),
		cmocka_unit_test(a_context_key_is_measured_after_folding_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
