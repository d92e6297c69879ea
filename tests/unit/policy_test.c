/*
 * policy_test.c - parsing a policy: what is refused, what is ignored, and how values of any type
 * are read.
 *
 * The meaning of a policy is tested by routing with it, in route_test.c.
 */
#include "queue/policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "queue/policy/route.h"
#include "queue/policy/values.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
	const char *text;
	int line, column;
} refused[] = {
	{ "{\n  session: {\n    dmScope: main\n  }\n}\n", 3, 14 },
	{ "{ channels: [ }", 1, 15 },
	{ "{\n  a: 1,\n  a: 2,\n}", 3, 3 },
	{ "{} {}", 1, 4 },
	{ "{ a: Infinity }", 1, 6 },
	{ "// nothing else", 1, 16 },
	{ "{ \"a\": \"\xff\" }", 1, 9 },
};

static void
a_malformed_policy_is_refused_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct policy *policy = NULL;
		struct error err;

		assert_int_equal(
		    policy_parse(refused[i].text, strlen(refused[i].text), NULL, &policy, &err),
		    -1);
		assert_null(policy);
		assert_int_equal(err.code, ERROR_CONFIG);
		assert_true(err.detail[0] != '\0');
		assert_int_equal(err.line, refused[i].line);
		assert_int_equal(err.column, refused[i].column);
	}
}

static void
only_objects_are_accepted(void **state)
{
	static const char *const others[] = { "[]", "null", "1", "'text'", "true" };

	(void)state;
	for (size_t i = 0; i < COUNT(others); i++) {
		struct policy *policy;
		struct error err;

		assert_int_equal(policy_parse(others[i], strlen(others[i]), NULL, &policy, &err),
				 -1);
		assert_int_equal(err.code, ERROR_CONFIG);
		assert_int_equal(policy_parse(others[i], strlen(others[i]), NULL, &policy, NULL),
				 -1);
	}
}

static void
a_blank_text_is_the_empty_policy(void **state)
{
	static const char *const blanks[] = { "", " \n\t", "\ufeff", "{}", "{ /* nothing */ }" };

	(void)state;
	for (size_t i = 0; i < COUNT(blanks); i++) {
		struct address address = { .session_key = STR("main") };
		struct arena arena = { 0 };
		struct decision decision;
		struct policy *policy;

		assert_int_equal(policy_parse(blanks[i], strlen(blanks[i]), NULL, &policy, NULL),
				 0);
		assert_int_equal(route_decide(policy, &address, false, &arena, &decision, NULL), 0);
		assert_true(str_eq(decision.queue_key, STR("agent:main:main")));
		assert_null(policy_timezone(policy).s);
		arena_clear(&arena);
		policy_free(policy);
	}
	policy_free(NULL);
}

static const struct {
	const char *config, *timezone;
} timezones[] = {
	{ "{agents:{defaults:{userTimezone:' Europe/Berlin '}}}", " Europe/Berlin " },
	{ "{agents:{defaults:{userTimezone:''}}}", "" },
	{ "{agents:{defaults:{userTimezone:1}}}", NULL },
	{ "{agents:{defaults:[]}}", NULL },
	{ "{agents:7}", NULL },
};

static void
the_time_zone_is_given_as_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(timezones); i++) {
		struct policy *policy;

		assert_int_equal(policy_parse(timezones[i].config, strlen(timezones[i].config),
					      NULL, &policy, NULL),
				 0);
		assert_int_equal(policy_timezone(policy).s == NULL, timezones[i].timezone == NULL);
		assert_true(str_eq(policy_timezone(policy), str_of(timezones[i].timezone)));
		policy_free(policy);
	}
}

/*
 * No value in any place that the rules read may end the process. A fuzz target does the same with
 * more values.
 */
static void
values_of_any_type_are_accepted_anywhere(void **state)
{
	static const char *const values[] = { "null", "true",         "0",  "-1.5e300", "''", "'x'",
					      "[]",   "[null,[],{}]", "{}", "{a:{a:1}}" };
	static const char *const places[] = {
		"{session:%s}",
		"{agents:%s}",
		"{channels:%s}",
		"{bindings:%s}",
		"{session:{mainKey:%s,scope:%s,dmScope:%s,identityLinks:%s}}",
		"{session:{identityLinks:{a:%s,b:[%s]}}}",
		"{agents:{entries:%s,list:%s,defaults:%s,ownership:%s}}",
		"{agents:{entries:{a:%s}}}",
		"{agents:{list:[%s,{id:%s,default:%s}],defaults:{systemAgent:%s,userTimezone:%s}}}",
		"{agents:{defaults:{systemAgent:{agentId:%s}}}}",
		"{channels:{telegram:%s}}",
		"{channels:{telegram:{allowFrom:%s,dm:%s,accounts:%s}}}",
		"{channels:{telegram:{allowFrom:[%s,'1'],dm:{allowFrom:%s}}}}",
		"{channels:{telegram:{accounts:{default:%s,work:{dm:%s,config:%s,allowFrom:%s}}}}}",
		"{bindings:[%s]}",
		"{bindings:[{type:%s,agentId:%s,match:%s,session:%s}]}",
		"{bindings:[{agentId:'main',match:{channel:%s,accountId:%s,peer:%s}}]}",
		("{bindings:[{agentId:%s,match:{channel:'telegram',accountId:%s,peer:{kind:%s,id:%"
		 "s}"
		 "},session:{dmScope:%s}}]}"),
		"{bindings:[{match:{channel:'telegram',guildId:%s,teamId:%s,roles:%s}}]}",
	};
	struct address address = { .session_key = STR("agent:main:telegram:default:direct:1") };

	(void)state;
	for (size_t p = 0; p < COUNT(places); p++) {
		for (size_t v = 0; v < COUNT(values); v++) {
			struct arena arena = { 0 };
			struct decision decision;
			struct policy *policy;
			struct buf text = { 0 };

			for (const char *at = places[p]; *at != '\0'; at++)
				if (at[0] == '%' && at++ != NULL)
					buf_adds(&text, values[v]);
				else
					buf_add(&text, at, 1);
			assert_int_equal(policy_parse(text.data, text.len, NULL, &policy, NULL), 0);
			assert_int_equal(
			    route_decide(policy, &address, true, &arena, &decision, NULL), 0);
			policy_free(policy);
			arena_clear(&arena);
			buf_clear(&text);
		}
	}
}

static const struct {
	const char *json, *text;
} strings[] = {
	{ "123", "123" },
	{ "1.0", "1" },
	{ "1e21", "1e+21" },
	{ "1e-7", "1e-7" },
	{ "-0", "0" },
	{ "12345678901234567890", "12345678901234567000" },
	{ "1e400", "Infinity" },
	{ "null", "null" },
	{ "true", "true" },
	{ "false", "false" },
	{ "\" a \"", " a " },
	{ "[]", "" },
	{ "[1,\"a\",null,true]", "1,a,,true" },
	{ "[null]", "" },
	{ "[[1,[2,3]],[],{}]", "1,2,3,,[object Object]" },
	{ "{\"a\":1}", "[object Object]" },
};

static void
values_are_stringified_as_ecmascript_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(strings); i++) {
		struct arena arena = { 0 };
		cJSON *value = cJSON_Parse(strings[i].json);

		assert_string_equal(value_stringify(&arena, value).s, strings[i].text);
		cJSON_Delete(value);
		arena_clear(&arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_malformed_policy_is_refused_with_its_place),
		cmocka_unit_test(only_objects_are_accepted),
		cmocka_unit_test(a_blank_text_is_the_empty_policy),
		cmocka_unit_test(the_time_zone_is_given_as_written),
		cmocka_unit_test(values_of_any_type_are_accepted_anywhere),
		cmocka_unit_test(values_are_stringified_as_ecmascript_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
