/*
 * delivery_test.c - delivery contexts (ROUTING section 7).
 */
#include "schema/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct json doc;
static struct arena arena;

static int
clear(void **state)
{
	(void)state;
	json_clear(&doc);
	arena_clear(&arena);
	return 0;
}

static int
read_context(const char *json, struct delivery *ret, struct error *err)
{
	assert_int_equal(json_scan(&doc, json, strlen(json), NULL), 0);
	return delivery_read(&doc, 0, &arena, ret, err);
}

static void
assert_written(const struct delivery *d, const char *want)
{
	struct buf out = { 0 };

	delivery_write(&out, d);
	buf_add(&out, "", 1);
	assert_string_equal(out.data, want);
	buf_clear(&out);
}

static const struct {
	const char *json, *normal;
} contexts[] = {
	{ "{}", "{}" },
	{ "null", "{}" },
	{ "{\"channel\":\" Telegram \",\"to\":\" 1 \",\"accountId\":\"WORK\",\"threadId\":\" t \"}",
	  "{\"channel\":\"telegram\",\"to\":\"1\",\"accountId\":\"work\",\"threadId\":\"t\"}" },
	{ "{\"to\":\"\\u0041b\"}", "{\"to\":\"Ab\"}" },
	{ "{\"channel\":\" \",\"to\":\"\",\"accountId\":\"---\",\"threadId\":\" \"}", "{}" },
	{ "{\"channel\":1,\"to\":2,\"accountId\":[],\"threadId\":{}}", "{}" },
	{ "{\"channel\":null,\"to\":true,\"threadId\":null,\"other\":\"x\"}", "{}" },
	{ "{\"accountId\":\"My.Acct\"}", "{\"accountId\":\"my-acct\"}" },
	{ "{\"accountId\":\"constructor\"}", "{}" },
	{ "{\"threadId\":5}", "{\"threadId\":5}" },
	{ "{\"threadId\":5.9}", "{\"threadId\":5}" },
	{ "{\"threadId\":-5.9}", "{\"threadId\":-5}" },
	{ "{\"threadId\":-0.5}", "{\"threadId\":0}" },
	{ "{\"threadId\":1e21}", "{\"threadId\":1e+21}" },
	{ "{\"threadId\":12345678901234567890}", "{\"threadId\":12345678901234567000}" },
	{ "{\"threadId\":1e999}", "{}" },
	{ "{\"threadId\":\"5\"}", "{\"threadId\":\"5\"}" },
	{ "{\"channel\":\"LARK\"}", "{\"channel\":\"feishu\"}" },
	{ "{\"channel\":\"gchat\"}", "{\"channel\":\"googlechat\"}" },
	{ "{\"channel\":\"google-chat\"}", "{\"channel\":\"googlechat\"}" },
	{ "{\"channel\":\"imsg\"}", "{\"channel\":\"imessage\"}" },
	{ "{\"channel\":\"internet-relay-chat\"}", "{\"channel\":\"irc\"}" },
	{ "{\"channel\":\"teams\"}", "{\"channel\":\"msteams\"}" },
	{ "{\"channel\":\"nc\"}", "{\"channel\":\"nextcloud-talk\"}" },
	{ "{\"channel\":\"nc-talk\"}", "{\"channel\":\"nextcloud-talk\"}" },
	{ "{\"channel\":\"twitch-chat\"}", "{\"channel\":\"twitch\"}" },
	{ "{\"channel\":\"zl\"}", "{\"channel\":\"zalo\"}" },
	{ "{\"channel\":\"zlu\"}", "{\"channel\":\"zalouser\"}" },
	{ "{\"channel\":\"tg\"}", "{\"channel\":\"tg\"}" },
};

static void
contexts_are_normalised(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(contexts); i++) {
		struct delivery d, again;

		assert_int_equal(read_context(contexts[i].json, &d, NULL), 0);
		assert_written(&d, contexts[i].normal);
		assert_int_equal(delivery_none(&d), strcmp(contexts[i].normal, "{}") == 0);
		assert_int_equal(read_context(contexts[i].normal, &again, NULL), 0);
		assert_written(&again, contexts[i].normal);
	}
}

static void
only_objects_are_accepted(void **state)
{
	static const char *const others[] = { "[]", "\"telegram\"", "1", "true", "false" };

	(void)state;
	for (size_t i = 0; i < COUNT(others); i++) {
		struct delivery d = { .to = STR("untouched") };
		struct error err;

		assert_int_equal(read_context(others[i], &d, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID_FIELD);
		assert_string_equal(err.pointer, "/deliveryContext");
		assert_int_equal(d.to.len, 9);
	}
}

static const struct {
	const char *older, *newer, *merged;
} merges[] = {
	{ "{}", "{\"to\":\"1\"}", "{\"to\":\"1\"}" },
	{ "{\"to\":\"1\",\"threadId\":7}", "{}", "{\"to\":\"1\",\"threadId\":7}" },
	{ "{\"channel\":\"a\",\"to\":\"1\"}", "{\"threadId\":7}",
	  "{\"channel\":\"a\",\"to\":\"1\",\"threadId\":7}" },
	{ "{\"to\":\"1\",\"threadId\":\"7\"}", "{\"to\":\"2\"}",
	  "{\"to\":\"2\",\"threadId\":\"7\"}" },
	{ "{\"channel\":\"a\",\"to\":\"1\",\"accountId\":\"x\",\"threadId\":7}",
	  "{\"channel\":\"a\"}",
	  "{\"channel\":\"a\",\"to\":\"1\",\"accountId\":\"x\",\"threadId\":7}" },
	{ "{\"to\":\"1\"}", "{\"channel\":\"b\"}", "{\"channel\":\"b\",\"to\":\"1\"}" },
	{ "{\"to\":\"1\"}", "{\"accountId\":\"y\"}", "{\"to\":\"1\",\"accountId\":\"y\"}" },
	/* channels conflict: nothing is filled in */
	{ "{\"channel\":\"a\",\"to\":\"1\",\"accountId\":\"x\",\"threadId\":7}",
	  "{\"channel\":\"b\"}", "{\"channel\":\"b\"}" },
	/* accounts conflict: not even the channel */
	{ "{\"channel\":\"a\",\"to\":\"1\",\"accountId\":\"x\"}", "{\"accountId\":\"y\"}",
	  "{\"accountId\":\"y\"}" },
	{ "{\"channel\":\"a\",\"to\":\"1\",\"accountId\":\"x\"}",
	  "{\"channel\":\"a\",\"accountId\":\"y\",\"to\":\"2\"}",
	  "{\"channel\":\"a\",\"to\":\"2\",\"accountId\":\"y\"}" },
	{ "{\"threadId\":7}", "{\"threadId\":\"8\"}", "{\"threadId\":\"8\"}" },
};

static void
in_a_merge_the_newer_wins(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(merges); i++) {
		struct delivery older, newer, merged;

		read_context(merges[i].older, &older, NULL);
		read_context(merges[i].newer, &newer, NULL);
		delivery_merge(&older, &newer, &merged);
		assert_written(&merged, merges[i].merged);
		delivery_merge(&older, &newer, &older); /* in place, as the catalog merges */
		assert_written(&older, merges[i].merged);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(contexts_are_normalised, clear),
		cmocka_unit_test_teardown(only_objects_are_accepted, clear),
		cmocka_unit_test_teardown(in_a_merge_the_newer_wins, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
