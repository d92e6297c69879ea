/*
 * json_test.c - what the strict scanner and the relaxed dialect accept and refuse.
 *
 * The tables follow JSONTestSuite: texts that every parser must accept, texts that every parser
 * must refuse, and texts that are left to the parser, whose treatment is fixed here. cJSON and the
 * relaxed dialect must accept every accepted text too; every refused text must have a line and
 * column.
 */
#include "schema/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#define T(literal) (literal), sizeof(literal) - 1
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct text {
	const char *s;
	size_t len;
};

/* clang-format off */
static const struct text valid[] = {
	/* arrays */
	{ T("[[]   ]") }, { T("[\"\"]") }, { T("[]") }, { T("[\"a\"]") }, { T("[false]") }, { T("[null, 1, \"1\", {}]") },
	{ T("[null]") }, { T("[1\n]") }, { T(" [1]") }, { T("[1,null,null,null,2]") }, { T("[2] ") }, { T("[[],[[]],[[],[]]]") },
	{ T("[\t1\r\n,\t2 ]") }, { T("[true,false,null]") },
	/* numbers */
	{ T("[123e65]") }, { T("[0e+1]") }, { T("[0e1]") }, { T("[ 4]") }, { T("[20e1]") }, { T("[-0]") }, { T("[-123]") },
	{ T("[-1]") }, { T("[1E22]") }, { T("[1E-2]") }, { T("[1E+2]") }, { T("[123e45]") }, { T("[123.456e78]") },
	{ T("[1e-2]") }, { T("[1e+2]") }, { T("[123]") }, { T("[123.456789]") }, { T("[0]") }, { T("[0.0]") }, { T("[-0.0]") },
	{ T("[-0e0]") }, { T("[1.0e00]") }, { T("[0.00001]") }, { T("[9007199254740993]") }, { T("[10,20,30]") },
	{ T("[-0.000000000000000000000000000000000000000000000000000000001]") },
	/* objects */
	{ T("{\"asd\":\"sdf\"}") }, { T("{}") }, { T("{\"\":0}") }, { T("{ \"min\": -1.0e+28, \"max\": 1.0e+28 }") },
	{ T("{\"x\":[{\"id\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}], \"id\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}") },
	{ T("{\"a\":[]}") }, { T("{\"title\":\"\\u041f\\u043e\\u043b\\u0442\\u043e\\u0440\\u0430\"}") }, { T("{\n\"a\": \"b\"\n}") },
	{ T("{\"a\":{\"a\":{\"a\":1}}}") }, { T("{\"a\":1,\"A\":2}") }, { T("{\"a\" : 1 , \"b\" : 2}") }, { T("{\"a\":\"a\"}") },
	/* strings */
	{ T("[\"\\u0060\\u012a\\u12AB\"]") }, { T("[\"\\uD801\\udc37\"]") }, { T("[\"\\ud83d\\ude39\\ud83d\\udc8d\"]") },
	{ T("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]") }, { T("[\"\\\\u0000\"]") }, { T("[\"\\\"\"]") }, { T("[\"a/*b*/c/*d//e\"]") },
	{ T("[\"\\\\a\"]") }, { T("[\"\\\\n\"]") }, { T("[\"\\u0012\"]") }, { T("[\"\\uFFFF\"]") }, { T("[\"asd\"]") },
	{ T("[ \"asd\"]") }, { T("[\"\\uDBFF\\uDFFF\"]") }, { T("[\"new\\u00A0line\"]") }, { T("[\"\xf4\x8f\xbf\xbf\"]") },
	{ T("[\"\xef\xbf\xbf\"]") }, { T("[\"\\u002c\"]") }, { T("[\"\xcf\x80\"]") }, { T("[\"\xf0\x9b\xbf\xbf\"]") },
	{ T("[\"asd \"]") }, { T("\" \"") }, { T("[\"\\uD834\\uDd1e\"]") }, { T("[\"\\u0821\"]") }, { T("[\"\\u0123\"]") },
	{ T("[\"\xe2\x80\xa8\"]") }, { T("[\"\xe2\x80\xa9\"]") }, { T("[\"\\u0061\\u30af\\u30EA\\u30b9\"]") },
	{ T("[\"new\\u000Aline\"]") }, { T("[\"\x7f\"]") }, { T("[\"\\uA66D\"]") }, { T("[\"\\u005C\"]") },
	{ T("[\"\xe2\x8d\x82\xe3\x88\xb4\xe2\x8d\x82\"]") }, { T("[\"\\uDBFF\\uDFFE\"]") }, { T("[\"\\uD83F\\uDFFE\"]") },
	{ T("[\"\\u200B\"]") }, { T("[\"\\u2064\"]") }, { T("[\"\\uFDD0\"]") }, { T("[\"\\uFFFE\"]") }, { T("[\"\\u0022\"]") },
	{ T("[\"\xe2\x82\xac\xf0\x9d\x84\x9e\"]") }, { T("[\"a\x7f" "a\"]") }, { T("[\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\"]") },
	{ T("[\"'\"]") }, { T("[\"\xc2\xa0\"]") }, { T("[\"\xef\xbb\xbf\"]") },
	/* the whole text */
	{ T("false") }, { T("42") }, { T("-0.1") }, { T("null") }, { T("\"asd\"") }, { T("true") }, { T("\"\"") }, { T("[\"a\"]\n") },
	{ T("[true]") }, { T(" [] ") }, { T("\t\r\n {}\n\n") }, { T("0") },
};

static const struct text invalid[] = {
	/* arrays */
	{ T("[1 true]") }, { T("[a\xe5]") }, { T("[\"\": 1]") }, { T("[\"\"],") }, { T("[,1]") }, { T("[1,,2]") }, { T("[\"x\",,]") },
	{ T("[\"x\"]]") }, { T("[\"\",]") }, { T("[\"x\"") }, { T("[x") }, { T("[3[4]]") }, { T("[\xff]") }, { T("[1:2]") }, { T("[,]") },
	{ T("[-]") }, { T("[   , \"\"]") }, { T("[\"a\",\n4\n,1,") }, { T("[1,]") }, { T("[1,,]") }, { T("[\"\va\"\\f]") }, { T("[*]") },
	{ T("[\"\"") }, { T("[1,") }, { T("[1,\n1\n,1") }, { T("[{}") }, { T("[}") }, { T("[1}") }, { T("[(1)]") }, { T("[1;2]") },
	{ T("[fals]") }, { T("[nul]") }, { T("[tru]") }, { T("[True]") }, { T("[NULL]") }, { T("[truefalse]") }, { T("[nullx]") },
	/* numbers */
	{ T("[++1234]") }, { T("[+1]") }, { T("[+Inf]") }, { T("[-01]") }, { T("[-1.0.]") }, { T("[-2.]") }, { T("[-NaN]") }, { T("[.-1]") },
	{ T("[.2e-3]") }, { T("[0.1.2]") }, { T("[0.3e+]") }, { T("[0.3e]") }, { T("[0.e1]") }, { T("[0E+]") }, { T("[0E]") }, { T("[0e+]") },
	{ T("[0e]") }, { T("[1.0e+]") }, { T("[1.0e-]") }, { T("[1.0e]") }, { T("[1 000.0]") }, { T("[1eE2]") }, { T("[2.e+3]") },
	{ T("[2.e-3]") }, { T("[2.e3]") }, { T("[9.e+]") }, { T("[Inf]") }, { T("[NaN]") }, { T("[\xef\xbc\x91]") }, { T("[1+2]") },
	{ T("[0x1]") }, { T("[0x42]") }, { T("[Infinity]") }, { T("[0e+-1]") }, { T("[-123.123foo]") }, { T("[123\xe5]") }, { T("[1e1\xe5]") },
	{ T("[0\xe5]") }, { T("[-Infinity]") }, { T("[-foo]") }, { T("[- 1]") }, { T("[-012]") }, { T("[-.123]") }, { T("[-1x]") }, { T("[1ea]") },
	{ T("[1e\xe5]") }, { T("[1.]") }, { T("[.123]") }, { T("[1.2a-3]") }, { T("[1.8011670033376514H-308]") }, { T("[012]") }, { T("[00]") },
	{ T("[0_1]") }, { T("[1,000,]") }, { T("[--1]") }, { T("[1e]") }, { T("[0b1]") }, { T("-") }, { T("1.") }, { T("1e+") }, { T("2 3") },
	/* objects */
	{ T("[\"x\", truth]") }, { T("{[: \"x\"}\n") }, { T("{\"x\", null}") }, { T("{\"x\"::\"b\"}") }, { T("{\xf0\x9f\x87\xa8\xf0\x9f\x87\xad}") },
	{ T("{\"a\":\"a\" 123}") }, { T("{key: 'value'}") }, { T("{\"\xb9\":\"0\",}") }, { T("{\"a\" b}") }, { T("{:\"b\"}") }, { T("{\"a\" \"b\"}") },
	{ T("{\"a\":") }, { T("{\"a\"") }, { T("{1:1}") }, { T("{9999E9999:1}") }, { T("{null:null,null:null}") }, { T("{\"id\":0,,,,,}") },
	{ T("{'a':0}") }, { T("{\"id\":0,}") }, { T("{\"a\":\"b\"}/**/") }, { T("{\"a\":\"b\"}/**//") }, { T("{\"a\":\"b\"}//") },
	{ T("{\"a\":\"b\"}/") }, { T("{\"a\":\"b\"}#") }, { T("{\"a\":\"b\",,\"c\":\"d\"}") }, { T("{a: \"b\"}") }, { T("{\"a\":\"a") },
	{ T("{ \"foo\" : \"bar\", \"a\" }") }, { T("{,}") }, { T("{\"a\":}") }, { T("{\"a\":1 \"b\":2}") }, { T("{\"a\":1;\"b\":2}") }, { T("{\"a\"=1}") },
	{ T("{[]:1}") }, { T("{{}:1}") }, { T("{\"a\":1]") }, { T("{\"a\"]") }, { T("{]") }, { T("{\"a\\\":1}") },
	/* strings */
	{ T(" ") }, { T("[\"\\uD800\\\"]") }, { T("[\"\\uD800\\u\"]") }, { T("[\"\\uD800\\u1\"]") }, { T("[\"\\uD800\\u1x\"]") }, { T("[\xc3\xa9]") },
	{ T("[\"\\\0\"]") }, { T("[\"\\x00\"]") }, { T("[\"\\\\\\\"]") }, { T("[\"\\\t\"]") }, { T("[\"\\\xf0\x9f\x8c\x80\"]") }, { T("[\"\\\"]") },
	{ T("[\"\\u00A\"]") }, { T("[\"\\uD834\\uDd\"]") }, { T("[\"\\uD800\\uD800\\x\"]") }, { T("[\"\\u\xe5\"]") }, { T("[\"\\a\"]") },
	{ T("[\"\\uqqqq\"]") }, { T("[\"\\\xe5\"]") }, { T("[\\u0020\"asd\"]") }, { T("[\\n]") }, { T("\"") }, { T("['single quote']") }, { T("abc") },
	{ T("[\"\\") }, { T("[\"a\0a\"]") }, { T("[\"new\nline\"]") }, { T("[\"\t\"]") }, { T("\"\\UA66D\"") }, { T("\"\"x") }, { T("[\"\r\"]") },
	{ T("[\"\x1f\"]") }, { T("[\"\\u12\"]") }, { T("[\"\\'\"]") }, { T("[\"\\v\"]") }, { T("[\"\\0\"]") }, { T("[\"a\\\nb\"]") }, { T("\"abc") },
	{ T("\"\\u") }, { T("\"\\ud800\\udc0") }, { T("`a`") }, { T("[\"\\u 123\"]") }, { T("[\"\\u+123\"]") },
	/* the text as a whole */
	{ T("<.>") }, { T("[<null>]") }, { T("[1]x") }, { T("[1]]") }, { T("[\"asd]") }, { T("a\xc3\xa5") }, { T("[True]") }, { T("1]") },
	{ T("{\"x\": true,") }, { T("[][]") }, { T("]") }, { T("\xef\xbb{}") }, { T("\xe5") }, { T("[") }, { T("") }, { T("[\0]") }, { T("2@") },
	{ T("{}}") }, { T("{\"\":") }, { T("{\"a\":/*comment*/\"b\"}") }, { T("{\"a\": true} \"x\"") }, { T("['") }, { T("[,") }, { T("[{") }, { T("[\"a") },
	{ T("[\"a\"") }, { T("{") }, { T("{]") }, { T("{,") }, { T("{[") }, { T("{\"a") }, { T("{'a'") }, { T("[\"\\{[\"\\{[\"\\{[\"\\{") }, { T("\xe9") },
	{ T("*") }, { T("{\"a\":\"b\"}#{}") }, { T("[\\u000A\"\"]") }, { T("[1") }, { T("[ false, nul") }, { T("[ true, fals") }, { T("[ false, tru") },
	{ T("{\"asd\":\"asd\"") }, { T("\xc3\xa5") }, { T("[\xe2\x81\xa0]") }, { T("\xef\xbb\xbf") }, { T("[\f]") }, { T("[\v]") }, { T("\xc2\xa0[]") },
	{ T("[]\0") }, { T("\0[]") }, { T("[\xc2\x85]") }, { T("{} {}") }, { T("// a\n1") }, { T("1 // a") }, { T(",") }, { T(":") }, { T("\n\n") },
	/* what the suite accepts and we do not: DESIGN, "JSON" */
	{ T("{\"a\":\"b\",\"a\":\"c\"}") }, { T("{\"a\":\"b\",\"a\":\"b\"}") }, { T("{\"foo\\u0000bar\": 42}") }, { T("[\"\\u0000\"]") },
};

static const struct {
	const char *s;
	size_t len;
	bool accepted;
} left_to_us[] = {
	/* a number beyond the range of a double is still a number; nothing here computes with it */
	{ T("[123.456e-789]"), true }, { T("[0.4e00669999999999999999999999999999999999999999999999999999969999999006]"), true },
	{ T("[-1e+9999]"), true }, { T("[1.5e+9999]"), true }, { T("[-123123e100000]"), true }, { T("[123123e100000]"), true },
	{ T("[123e-10000000]"), true }, { T("[-123123123123123123123123123123]"), true }, { T("[100000000000000000000]"), true },
	{ T("[-237462374673276894279832749832423479823246327846]"), true },
	/* some versions of cJSON refuse this */
	{ T("[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]"), true },
	/* half of a surrogate pair is not a character */
	{ T("{\"\\uDFAA\":0}"), false }, { T("[\"\\uDADA\"]"), false }, { T("[\"\\uD888\\u1234\"]"), false }, { T("[\"\\uD800\\n\"]"), false },
	{ T("[\"\\uDd1ea\"]"), false }, { T("[\"\\uD800\\uD800\\n\"]"), false }, { T("[\"\\ud800\"]"), false }, { T("[\"\\ud800abc\"]"), false },
	{ T("[\"\\uDd1e\\uD834\"]"), false }, { T("[\"\\uDFAA\"]"), false },
	/* only well-formed UTF-8 */
	{ T("\xff\xfe[\0\"\0\xe9\0\"\0]\0"), false }, { T("[\"\xe6\x97\xa5\xd1\x88\xfa\"]"), false }, { T("[\"\xed\xa0\x80\"]"), false },
	{ T("[\"\xff\"]"), false }, { T("[\"\xe9\"]"), false }, { T("[\"\x81\"]"), false }, { T("[\"\xf4\xbf\xbf\xbf\"]"), false },
	{ T("[\"\xc0\xaf\"]"), false }, { T("[\"\xfc\x83\xbf\xbf\xbf\xbf\"]"), false }, { T("[\"\xfc\x80\x80\x80\x80\x80\"]"), false },
	{ T("[\"\xe0\xff\"]"), false }, { T("\0[\0\"\0\xe9\0\"\0]"), false }, { T("[\0\"\0\xe9\0\"\0]\0"), false },
	{ T("[\"\xe0\x80\xaf\"]"), false }, { T("[\"\xf0\x80\x80\xaf\"]"), false }, { T("[\"\xf5\x80\x80\x80\"]"), false },
	{ T("[\"\xc1\xbf\"]"), false }, { T("[\"\xe0\x9f\xbf\"]"), false }, { T("[\"\xf0\x8f\xbf\xbf\"]"), false }, { T("[\"\xed\xbf\xbf\"]"), false },
	{ T("[\"\xf4\x90\x80\x80\"]"), false }, { T("[\"\xe2\x82\"]"), false }, { T("[\"\xf0\x9f\x98\"]"), false }, { T("\"\xc3"), false },
	/* a byte order mark is not white space (RFC 8259 section 8.1 leaves it open) */
	{ T("\xef\xbb\xbf{}"), false },
};

static const struct {
	const char *s;
	size_t len;
	int line, column;
	const char *detail;
} places[] = {
	{ T(""), 1, 1, "unexpected end; expected a value" },
	{ T("{\"a\":1,}"), 1, 8, "unexpected '}'; expected a member name" },
	{ T("{\n  \"a\": 1,\n  b: 2\n}"), 3, 3, "unexpected 'b'; expected a member name" },
	{ T("[1,\r\n\t,]"), 2, 2, "unexpected ','; expected a value" },
	{ T("[1\n2]"), 2, 1, "unexpected '2'; expected ',' or ']'" },
	{ T("{\"a\" 1}"), 1, 6, "unexpected '1'; expected ':'" },
	{ T("{\"a\":1"), 1, 7, "unexpected end; expected ',' or '}'" },
	{ T("\"\xc3\xa4\x01\""), 1, 4, "a control character in a string must be escaped" },
	{ T("\"a\\q\""), 1, 3, "unknown escape in a string" },
	{ T("\"a\\u12\""), 1, 3, "\\u needs four hexadecimal digits" },
	{ T("\"a\\u0000\""), 1, 3, "\\u0000 is not allowed" },
	{ T("[\"\\ud800\"]"), 1, 3, "half of a surrogate pair" },
	{ T("\"abc"), 1, 5, "unexpected end; expected '\"' to end the string" },
	{ T("\"abc\\"), 1, 5, "a string ends inside an escape" },
	{ T("\"\xff\""), 1, 2, "invalid UTF-8" },
	{ T("[012]"), 1, 3, "a number has no leading zeros" },
	{ T("[1.]"), 1, 4, "unexpected ']'; expected a digit" },
	{ T("{}\n x"), 2, 2, "unexpected 'x'; expected nothing more" },
	{ T("[\xc3\xa4]"), 1, 2, "unexpected U+00E4; expected a value" },
	{ T("[\0]"), 1, 2, "unexpected U+0000; expected a value" },
	{ T("[\xff]"), 1, 2, "invalid UTF-8; expected a value" },
	{ T("{\"a\":1,\n \"b\":2,\n \"a\":3}"), 3, 2, "a member name is repeated" },
};
/* clang-format on */

static void
assert_place(const struct error *error, struct text text)
{
	assert_int_equal(error->code, ERROR_INVALID_JSON);
	assert_in_range(error->line, 1, text.len + 1);
	assert_in_range(error->column, 1, text.len + 1);
	assert_true(error->detail[0] != '\0');
}

static bool
cjson_reads(struct text text)
{
	const char *end = NULL;
	cJSON *json = cJSON_ParseWithLengthOpts(text.s, text.len, &end, false);

	cJSON_Delete(json);
	return json != NULL;
}

/* Both dialects and cJSON agree on strict text. */
static void
check_accepted(struct text text)
{
	struct json doc = { 0 };
	struct buf relaxed = { 0 };
	struct error error;
	size_t tokens;

	if (json_scan(&doc, text.s, text.len, &error) < 0)
		fail_msg("refused: %.*s: %d:%d %s", (int)text.len, text.s, error.line, error.column,
			 error.detail);
	tokens = doc.count;
	if (json_relax(text.s, text.len, &relaxed, &error) < 0)
		fail_msg("not relaxed: %.*s: %d:%d %s", (int)text.len, text.s, error.line,
			 error.column, error.detail);
	assert_int_equal(json_scan(&doc, relaxed.data, relaxed.len, &error), 0);
	assert_int_equal(doc.count, tokens);
	json_clear(&doc);
	buf_clear(&relaxed);
}

static void
check_refused(struct text text)
{
	struct json doc = { 0 };
	struct error error;

	if (json_scan(&doc, text.s, text.len, &error) == 0)
		fail_msg("accepted: %.*s", (int)text.len, text.s);
	assert_place(&error, text);
	assert_int_equal(doc.count, 0);
	json_clear(&doc);
}

static void
what_every_parser_accepts_is_accepted(void **state)
{
	size_t i;

	(void)state;
	assert_true(COUNT(valid) >= 95);
	for (i = 0; i < COUNT(valid); i++) {
		check_accepted(valid[i]);
		if (!cjson_reads(valid[i]))
			fail_msg("cJSON refuses: %.*s", (int)valid[i].len, valid[i].s);
	}
}

static void
what_every_parser_refuses_is_refused(void **state)
{
	size_t i;

	(void)state;
	assert_true(COUNT(invalid) >= 188);
	for (i = 0; i < COUNT(invalid); i++)
		check_refused(invalid[i]);
}

static void
what_is_left_to_the_parser_is_fixed(void **state)
{
	struct json doc = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(left_to_us); i++)
		if ((json_scan(&doc, left_to_us[i].s, left_to_us[i].len, NULL) == 0) !=
		    left_to_us[i].accepted)
			fail_msg("not as fixed: %.*s", (int)left_to_us[i].len, left_to_us[i].s);
	json_clear(&doc);
}

static void
an_error_has_a_place_and_a_reason(void **state)
{
	struct json doc = { 0 };
	struct error error;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(places); i++) {
		assert_int_equal(json_scan(&doc, places[i].s, places[i].len, &error), -1);
		assert_string_equal(error.detail, places[i].detail);
		assert_int_equal(error.line, places[i].line);
		assert_int_equal(error.column, places[i].column);
	}
	json_clear(&doc);
}

/* No prefix of a text crashes the scanner, and only numbers have prefixes that are valid texts. */
static void
every_prefix_has_an_answer(void **state)
{
	static const char text[] =
	    "{\"a\\u0041\\ud83d\\ude39\":[1.5e+3,true,null,{\"\xe2\x82\xac\":false}]}";
	struct json doc = { 0 };
	size_t len;

	(void)state;
	for (len = 0; len < sizeof(text) - 1; len++) {
		char *copy = malloc(len + 1); /* so that the sanitizers see a read past the end */

		memcpy(copy, text, len);
		copy = realloc(copy, len > 0 ? len : 1);
		check_refused((struct text){ copy, len });
		free(copy);
	}
	assert_int_equal(json_scan(&doc, text, len, NULL), 0);
	json_clear(&doc);
}

static void
nest(struct buf *text, const char *open, const char *close, size_t depth)
{
	size_t i;

	text->len = 0;
	for (i = 0; i < depth; i++)
		buf_adds(text, open);
	buf_adds(text, "1");
	for (i = 0; i < depth; i++)
		buf_adds(text, close);
}

static void
nesting_is_limited_to_thirty_two_levels(void **state)
{
	static const char *const pairs[][2] = { { "[", "]" },
						{ "{\"a\":", "}" },
						{ "[{\"a\":", "}]" } };
	struct buf text = { 0 }, out = { 0 };
	struct json doc = { 0 };
	struct error error;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(pairs); i++) {
		const size_t levels = i == 2 ? 2 : 1;

		nest(&text, pairs[i][0], pairs[i][1], JSON_DEPTH / levels);
		check_accepted((struct text){ text.data, text.len });
		nest(&text, pairs[i][0], pairs[i][1], JSON_DEPTH / levels + 1);
		assert_int_equal(json_scan(&doc, text.data, text.len, &error), -1);
		assert_string_equal(error.detail, "nested too deeply");
		assert_int_equal(error.column, 1 + JSON_DEPTH / levels * strlen(pairs[i][0]));
		assert_int_equal(json_relax(text.data, text.len, &out, &error), -1);
		assert_string_equal(error.detail, "nested too deeply");
	}
	nest(&text, "[", "", 100000);
	assert_int_equal(json_scan(&doc, text.data, text.len, NULL), -1);
	json_clear(&doc);
	buf_clear(&text);
	buf_clear(&out);
}

static void
names_are_compared_after_unescaping(void **state)
{
	static const struct {
		const char *s;
		bool accepted;
	} cases[] = {
		{ "{\"a\":1,\"\\u0061\":2}", false },
		{ "{\"\\u0061\":1,\"a\":2}", false },
		{ "{\"\\u00e9\":1,\"\xc3\xa9\":2}", false },
		{ "{\"\\ud83d\\ude39\":1,\"\xf0\x9f\x98\xb9\":2}", false },
		{ "{\"\\/\":1,\"/\":2}", false },
		{ "{\"\\n\":1,\"\\u000A\":2}", false },
		{ "{\"\":1,\"\":2}", false },
		{ "{\"a\":1,\"A\":2}", true },
		{ "{\"a\":1,\"aa\":2,\"\\u0061\\u0061a\":3}", true },
		{ "{\"\\\\u0061\":1,\"a\":2}", true },
		{ "{\"\xc3\xa9\":1,\"e\xcc\x81\":2}", true }, /* no normalisation */
		{ "{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":1}]}", true },
		{ "{\"b\":{\"a\":1,\"a\":1},\"a\":1}", false },
	};
	struct json doc = { 0 };
	struct buf out = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		if ((json_scan(&doc, cases[i].s, strlen(cases[i].s), NULL) == 0) !=
		    cases[i].accepted)
			fail_msg("strict: %s", cases[i].s);
		if ((json_relax(cases[i].s, strlen(cases[i].s), &out, NULL) == 0) !=
		    cases[i].accepted)
			fail_msg("relaxed: %s", cases[i].s);
	}
	json_clear(&doc);
	buf_clear(&out);
}

/*
 * An object of count members, their names in scattered order; the one at `odd` repeats the first,
 * escaped.
 */
static void
large_object(struct buf *text, unsigned count, unsigned odd)
{
	unsigned i;

	text->len = 0;
	buf_adds(text, "{");
	for (i = 0; i < count; i++)
		buf_addf(text, "%s\n\"%s%u\":%u", i > 0 ? "," : "", i == odd ? "\\u006e" : "n",
			 i == odd ? 0 : i * 7919u % 1000003u, i);
	buf_adds(text, "}");
}

static void
a_repeated_name_is_found_among_any_number(void **state)
{
	static const unsigned counts[] = { 2, 16, 17, 18, 1000, 100000 };
	struct json doc = { 0 };
	struct buf text = { 0 };
	struct error error;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(counts); i++) {
		large_object(&text, counts[i], counts[i]);
		assert_int_equal(json_scan(&doc, text.data, text.len, &error), 0);
		assert_int_equal(doc.count, 1 + 2 * counts[i]);
		large_object(&text, counts[i], counts[i] - 1);
		assert_int_equal(json_scan(&doc, text.data, text.len, &error), -1);
		assert_string_equal(error.detail, "a member name is repeated");
		assert_int_equal(error.line, counts[i] + 1);
		assert_int_equal(error.column, 1);
	}
	json_clear(&doc);
	buf_clear(&text);
}

static void
the_first_repeated_name_is_reported(void **state)
{
	struct json doc = { 0 };
	struct buf text = { 0 };
	struct error error;
	int i;

	(void)state;
	buf_adds(&text, "{");
	for (i = 0; i < 20; i++)
		buf_addf(&text, "\"%c\":1,\n", 'z' - i);
	buf_adds(&text, "\"y\":1,\n\"h\":1,\n\"y\":1}");
	assert_int_equal(json_scan(&doc, text.data, text.len, &error), -1);
	assert_int_equal(error.line, 21);
	json_clear(&doc);
	buf_clear(&text);
}

static void
a_large_document_is_freed(void **state)
{
	struct json doc = { 0 };
	struct buf text = { 0 };
	size_t cap;

	(void)state;
	large_object(&text, 100000, 100000);
	assert_int_equal(json_scan(&doc, text.data, text.len, NULL), 0);
	assert_true(doc.cap > 200000);
	assert_int_equal(json_scan(&doc, T("[1,2]"), NULL), 0);
	assert_true(doc.cap < 65536);
	assert_int_equal(doc.scratch.cap, 0);
	cap = doc.cap;
	assert_int_equal(json_scan(&doc, T("{\"a\":1}"), NULL), 0);
	assert_int_equal(doc.cap, cap);
	json_clear(&doc);
	buf_clear(&text);
}

static void
readers_walk_members_and_elements(void **state)
{
	static const char text[] = " {\"a\":[1,[2,3],{}],\"b\":{\"c\":\"x\\ty\"},\"d\":-12.5}";
	struct json doc = { 0 };
	struct arena arena = { 0 };
	size_t t, a, n = 0;

	(void)state;
	assert_int_equal(json_scan(&doc, T(text), NULL), 0);
	t = json_first(&doc, 0);
	assert_true(str_eq(json_raw(&doc, t), STR("a")));
	assert_true(str_eq(json_raw(&doc, t + 1), STR("[1,[2,3],{}]")));
	for (a = json_first(&doc, t + 1); a != 0; a = json_next(&doc, t + 1, a))
		n++;
	assert_int_equal(n, 3);
	t = json_next(&doc, 0, t);
	assert_true(str_eq(json_raw(&doc, t), STR("b")));
	a = json_first(&doc, t + 1);
	assert_true(str_eq(json_string(&doc, a, &arena), STR("c")));
	assert_true(str_eq(json_string(&doc, a + 1, &arena), STR("x\ty")));
	assert_int_equal(json_next(&doc, t + 1, a), 0);
	t = json_next(&doc, 0, t);
	assert_true(str_eq(json_raw(&doc, t + 1), STR("-12.5")));
	assert_int_equal(json_next(&doc, 0, t), 0);
	assert_int_equal(json_scan(&doc, T("[]"), NULL), 0);
	assert_int_equal(json_first(&doc, 0), 0);
	arena_clear(&arena);
	json_clear(&doc);
}

static void
integers_are_exact_or_refused(void **state)
{
	static const struct {
		const char *s;
		bool accepted;
		int64_t value;
	} cases[] = {
		{ "0", true, 0 },
		{ "-0", true, 0 },
		{ "42", true, 42 },
		{ "-42", true, -42 },
		{ "9007199254740993", true, 9007199254740993 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "-9223372036854775808", true, INT64_MIN },
		{ "9223372036854775808", false, 0 },
		{ "-9223372036854775809", false, 0 },
		{ "92233720368547758070", false, 0 },
		{ "100000000000000000000000000", false, 0 },
		{ "1.0", false, 0 },
		{ "1e3", false, 0 },
		{ "1E0", false, 0 },
		{ "-0.0", false, 0 },
		{ "\"1\"", false, 0 },
		{ "true", false, 0 },
		{ "null", false, 0 },
		{ "[1]", false, 0 },
	};
	struct json doc = { 0 };
	int64_t n;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(json_scan(&doc, cases[i].s, strlen(cases[i].s), NULL), 0);
		n = 4711;
		if (json_int64(&doc, 0, &n) != cases[i].accepted)
			fail_msg("%s", cases[i].s);
		assert_true(n == (cases[i].accepted ? cases[i].value : 4711));
	}
	json_clear(&doc);
}

static void
strings_are_decoded(void **state)
{
	static const struct {
		const char *json, *text;
	} cases[] = {
		{ "\"\"", "" },
		{ "\"plain\"", "plain" },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
		{ "\"\\u0041\\u00e9\\u20AC\\ud834\\uDD1E.\"",
		  "A\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e." },
		{ "\"\\u007f\\u0080\\u07ff\\u0800\\uffff\\ud800\\udc00\\udbff\\udfff\"",
		  "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
		{ "\"\xc3\xa9\\\\\xc3\xa9\"", "\xc3\xa9\\\xc3\xa9" },
	};
	struct json doc = { 0 };
	struct arena arena = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(json_scan(&doc, cases[i].json, strlen(cases[i].json), NULL), 0);
		assert_true(str_eq(json_string(&doc, 0, &arena), str_of(cases[i].text)));
	}
	arena_clear(&arena);
	json_clear(&doc);
}

static void
quoting_escapes_what_it_must(void **state)
{
	struct buf out = { 0 };

	(void)state;
	json_quote(&out, STR("a\"b\\c/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9"));
	json_quote(&out, STR(""));
	assert_true(str_eq((struct str){ out.data, out.len },
			   STR("\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa9\"\"\"")));
	buf_clear(&out);
}

/* Each byte alone, and then all of them in one run. */
static void
every_byte_is_written_by_its_rule(void **state)
{
	static const char shorts[] = "\b\t\n\f\r\"\\", names[] = "btnfr\"\\";
	struct buf out = { 0 }, all = { 0 }, bytes = { 0 };
	char expected[16];

	(void)state;
	buf_adds(&all, "\"");
	for (int c = 1; c < 256; c++) {
		const char byte = (char)c, *named = strchr(shorts, c);

		if (named != NULL)
			snprintf(expected, sizeof(expected), "\\%c", names[named - shorts]);
		else
			snprintf(expected, sizeof(expected), c < 0x20 ? "\\u%04x" : "%c", c);
		out.len = 0;
		json_quote(&out, (struct str){ &byte, 1 });
		assert_int_equal(out.len, strlen(expected) + 2);
		assert_memory_equal(out.data + 1, expected, strlen(expected));
		buf_adds(&all, expected);
		buf_add(&bytes, &byte, 1);
	}
	buf_adds(&all, "\"");
	out.len = 0;
	json_quote(&out, (struct str){ bytes.data, bytes.len });
	assert_int_equal(out.len, all.len);
	assert_memory_equal(out.data, all.data, all.len);
	buf_clear(&out);
	buf_clear(&all);
	buf_clear(&bytes);
}

/* Random bytes, mostly from UTF-8 sequences, so that some of them are valid text. */
static size_t
random_bytes(char *to, size_t max)
{
	static const unsigned char leads[] = { 0xc3, 0xe2, 0xed, 0xf0, 0xf4,
					       '"',  '\\', 'u',  0x1f, '\n' };
	const size_t len = (size_t)rand() % max;
	size_t i;

	for (i = 0; i < len; i++)
		switch (rand() % 4) {
		case 0:
			to[i] = (char)(1 + rand() % 127);
			break;
		case 1:
			to[i] = (char)leads[(size_t)rand() % COUNT(leads)];
			break;
		default:
			to[i] = (char)(0x80 + rand() % 0x40);
		}
	return len;
}

static void
a_quoted_text_reads_back_unchanged(void **state)
{
	struct json doc = { 0 };
	struct buf out = { 0 };
	struct arena arena = { 0 };
	char bytes[12];
	size_t i, texts = 0;

	(void)state;
	srand(2);
	for (i = 0; i < 300000; i++) {
		const struct str s = { bytes, random_bytes(bytes, sizeof(bytes)) };
		const bool text = text_is_utf8(s.s, s.len);

		out.len = 0;
		json_quote(&out, s);
		assert_int_equal(json_scan(&doc, out.data, out.len, NULL), text ? 0 : -1);
		if (!text)
			continue;
		assert_true(str_eq(json_string(&doc, 0, &arena), s));
		texts++;
		arena_clear(&arena);
	}
	assert_true(texts > 1000);
	json_clear(&doc);
	buf_clear(&out);
}

/* Puts a byte among plain ones: quoted and read back, and scanned unquoted. */
static void
check_byte_in_string(struct json *doc, struct buf *out, unsigned char byte, size_t at, size_t len)
{
	const bool special = byte < 0x20 || byte == '"' || byte == '\\';
	struct arena arena = { 0 };
	char raw[2 + 24] = "\"........................";

	raw[1 + at] = (char)byte;
	raw[1 + len] = '"';
	out->len = 0;
	json_quote(out, (struct str){ raw + 1, len });
	assert_int_equal(out->len > len + 2, special);
	assert_int_equal(json_scan(doc, out->data, out->len, NULL),
			 byte > 0 && byte < 0x80 ? 0 : -1);
	if (byte > 0 && byte < 0x80)
		assert_true(str_eq(json_string(doc, 0, &arena), (struct str){ raw + 1, len }));
	assert_int_equal(json_scan(doc, raw, len + 2, NULL), special || byte >= 0x80 ? -1 : 0);
	arena_clear(&arena);
}

static void
a_special_byte_is_found_at_every_offset(void **state)
{
	struct json doc = { 0 };
	struct buf out = { 0 };

	(void)state;
	for (unsigned byte = 0; byte < 256; byte++)
		for (size_t len = 1; len <= 24; len++)
			for (size_t at = 0; at < len; at++)
				check_byte_in_string(&doc, &out, (unsigned char)byte, at, len);
	json_clear(&doc);
	buf_clear(&out);
}

/* clang-format off */
static const struct {
	const char *source, *json; /* json NULL: refused */
} relaxed[] = {
	/* comments and white space */
	{ "// a\n{/* b */}// c", "{}" }, { "/**/1/***/", "1" }, { "/* a\n * b */ [ ] //", "[]" }, { "1 /* a", NULL }, { "1 /*/", NULL }, { "/ 1", NULL },
	{ "// a\r1", "1" }, { "// a\xe2\x80\xa8" "1", "1" }, { "\xef\xbb\xbf{}\xc2\xa0\v\f\xe3\x80\x80\xe2\x80\x83", "{}" }, { "", NULL }, { "// a", NULL },
	{ "\xe2\x80\x8b{}", NULL }, { "[1,// one\n2]", "[1,2]" }, { "{a/**/:/**/1/**/,/**/}", "{\"a\":1}" }, { "{} {}", NULL }, { "{}}", NULL },
	{ "\xc2\x85{}", NULL }, { "\xe1\x9a\x80\xe2\x80\xaf\xe2\x81\x9f\xe2\x80\xa9{}", "{}" },
	/* trailing commas */
	{ "[1,]", "[1]" }, { "[,]", NULL }, { "[1,,]", NULL }, { "{a:1,}", "{\"a\":1}" }, { "{,}", NULL }, { "{a:1,,}", NULL }, { "[,1]", NULL },
	{ "[1 2]", NULL }, { "{a:1 b:2}", NULL }, { "[[1,],[],]", "[[1],[]]" }, { "[1}", NULL }, { "{a:1]", NULL }, { "[1", NULL }, { "{a:1", NULL }, { "[", NULL }, { "{", NULL },
	/* names */
	{ "{a:1}", "{\"a\":1}" }, { "{'a':1}", "{\"a\":1}" }, { "{$:1,_:2,a1$_:3}", "{\"$\":1,\"_\":2,\"a1$_\":3}" },
	{ "{\xc3\xa4:1}", "{\"\xc3\xa4\":1}" }, { "{\\u0061b\\u0063:1}", "{\"abc\":1}" }, { "{a\\u0031:1}", "{\"a1\":1}" }, { "{\\u0031a:1}", NULL },
	{ "{\\u0020:1}", NULL }, { "{\\u00a0:1}", NULL }, { "{\\ud83d:1}", NULL }, { "{\\x61:1}", NULL }, { "{\\u00:1}", NULL }, { "{a\\u0000:1}", NULL },
	{ "{1a:1}", NULL }, { "{1:1}", NULL }, { "{a-b:1}", NULL }, { "{a b:1}", NULL }, { "{:1}", NULL }, { "{null:1,true:2,if:3,Infinity:4}", "{\"null\":1,\"true\":2,\"if\":3,\"Infinity\":4}" },
	{ "{a\xe2\x80\x8d" "b:1}", "{\"a\xe2\x80\x8d" "b\":1}" }, { "{a\xc2\xa0:1}", "{\"a\":1}" }, { "{a}", NULL }, { "{a:}", NULL }, { "{a 1}", NULL }, { "{[1]:1}", NULL },
	{ "{a:1,'a':2}", NULL }, { "{a:1,\\u0061:2}", NULL }, { "{'a\\\nb':1,ab:2}", NULL }, { "{a:1,A:2}", "{\"a\":1,\"A\":2}" }, { "{'\\x61':1,a:2}", NULL },
	{ "{__proto__:1}", "{\"__proto__\":1}" },
	/* strings */
	{ "'a'", "\"a\"" }, { "'a\"b'", "\"a\\\"b\"" }, { "\"a'b\"", "\"a'b\"" }, { "'a\\'b\\\"c'", "\"a'b\\\"c\"" }, { "'\\x41\\x7f\\xe9\\u00e9'", "\"A\x7f\xc3\xa9\xc3\xa9\"" },
	{ "'\\b\\f\\n\\r\\t\\v\\\\\\/'", "\"\\b\\f\\n\\r\\t\\u000b\\\\/\"" }, { "'\\a\\c\\\xc3\xa4'", "\"ac\xc3\xa4\"" }, { "'a\\\nb'", "\"ab\"" },
	{ "'a\\\r\nb'", "\"ab\"" }, { "'a\\\rb'", "\"ab\"" }, { "'a\\\xe2\x80\xa8" "b\\\xe2\x80\xa9" "c'", "\"abc\"" },
	{ "'\xe2\x80\xa8\xe2\x80\xa9'", "\"\xe2\x80\xa8\xe2\x80\xa9\"" }, { "'\t\x01'", "\"\\t\\u0001\"" }, { "'a\nb'", NULL }, { "'a\rb'", NULL }, { "'a", NULL }, { "'", NULL },
	{ "'a\"", NULL }, { "'\\0'", NULL }, { "'\\00'", NULL }, { "'\\1'", NULL }, { "'\\9'", NULL }, { "'\\x4'", NULL }, { "'\\x00'", NULL }, { "'\\xg1'", NULL },
	{ "'\\u12'", NULL }, { "'\\u0000'", NULL }, { "'\\ud800'", NULL }, { "'\\ud83d\\ude39'", "\"\xf0\x9f\x98\xb9\"" }, { "'\\", NULL }, { "'\\x", NULL }, { "'\\u", NULL },
	{ "'\xff'", NULL }, { "/*\xff*/1", NULL }, { "''", "\"\"" }, { "`a`", NULL }, { "'//'", "\"//\"" }, { "'\\u{41}'", NULL },
	/* numbers */
	{ "[+1,-1,+0,-0]", "[1,-1,0,-0]" }, { ".5", "0.5" }, { "-.5e1", "-0.5e1" }, { "5.", "5" }, { "5.e3", "5e3" }, { "+.5E+07", "0.5E+07" }, { "1E-2", "1E-2" }, { ".", NULL }, { "-.", NULL },
	{ ".e1", NULL }, { "+", NULL }, { "-", NULL }, { "+ 1", NULL }, { "--1", NULL }, { "+-1", NULL }, { "01", NULL }, { "-00", NULL }, { "08.5", NULL }, { "1e", NULL }, { "1e+", NULL }, { "1.2.3", NULL }, { "1_0", NULL },
	{ "0x10", "16" }, { "-0XfF", "-255" }, { "+0x1", "1" }, { "0x0", "0" }, { "-0x0", "-0" }, { "0x", NULL }, { "0xg", NULL }, { "0x1.8", NULL }, { "0x1p3", NULL },
	{ "0x1FFFFFFFFFFFFF", "9007199254740991" }, { "0x20000000000001", "9007199254740992" }, { "0xFFFFFFFFFFFFFFFF", "1.8446744073709552e+19" },
	{ "12345678901234567890", "12345678901234567890" }, { "1e308", "1e308" }, { "1e309", NULL }, { "-1e999", NULL }, { "Infinity", NULL }, { "-Infinity", NULL }, { "NaN", NULL }, { "+NaN", NULL },
	{ "1e-999", "1e-999" }, { "1a", NULL }, { "1'a'", NULL }, { "0b1", NULL }, { "10n", NULL },
	{ "0.1000000000000000055511151231257827021181583404541015625000000000", "0.10000000000000001" },
	{ "100000000000000000000000000000000000000000000000000000000000000", "100000000000000000000000000000000000000000000000000000000000000" },
	{ "1000000000000000000000000000000000000000000000000000000000000000", "1.0000000000000001e+63" },
	/* words */
	{ "true", "true" }, { "[null,false,]", "[null,false]" }, { "undefined", NULL }, { "truex", NULL }, { "True", NULL }, { "tru", NULL }, { "a", NULL },
	/* a configuration as people write it */
	{ "// my config\n{\n  session: { dmScope: 'main', }, /* one owner */\n  channels: { telegram: { allowFrom: [123, '456',], }, },\n}\n",
	  "{\"session\":{\"dmScope\":\"main\"},\"channels\":{\"telegram\":{\"allowFrom\":[123,\"456\"]}}}" },
};

static const struct {
	const char *source;
	int line, column;
	const char *detail;
} relaxed_places[] = {
	{ "{\n  a: 1,\n  // b\n  'a': 2,\n}", 4, 3, "a member name is repeated" },
	{ "{ x: { a: 1, '\\x61': 2 } }", 1, 14, "a member name is repeated" },
	{ "{\n  a: 1\n  b: 2\n}", 3, 3, "unexpected 'b'; expected ',' or '}'" },
	{ "[1, 2", 1, 6, "unexpected end; expected ',' or ']'" },
	{ "{a:1} x", 1, 7, "unexpected 'x'; expected nothing more" },
	{ "{\n/* a\n", 2, 1, "a comment does not end" },
	{ "{a: 'b\n'}", 1, 7, "a string ends at the end of its line, or the line in a backslash" },
	{ "'abc", 1, 5, "unexpected end; expected \"'\" to end the string" },
	{ "\"abc", 1, 5, "unexpected end; expected '\"' to end the string" },
	{ "'ab\\0'", 1, 4, "\\0 is not allowed" },
	{ "'ab\\7'", 1, 4, "a digit cannot be escaped" },
	{ "'ab\\x0'", 1, 4, "\\x needs two hexadecimal digits" },
	{ "'ab\\ud800'", 1, 4, "half of a surrogate pair" },
	{ "{a\\u0020:1}", 1, 3, "this character cannot stand in a name without quotes" },
	{ "[\n -Infinity]", 2, 3, "JSON has no such number" },
	{ "[1e400]", 1, 2, "a number is beyond the range of a double" },
	{ "[0x]", 1, 4, "unexpected ']'; expected a hexadecimal digit" },
	{ "[\n'a',\n'\xff']", 3, 2, "invalid UTF-8" },
	{ "[undefined]", 1, 2, "unexpected 'u'; expected a value" },
};
/* clang-format on */

static void
the_relaxed_dialect_is_json5(void **state)
{
	struct json doc = { 0 };
	struct buf out = { 0 };
	struct error error;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(relaxed); i++) {
		const struct text source = { relaxed[i].source, strlen(relaxed[i].source) };

		out.len = 0;
		if (json_relax(source.s, source.len, &out, &error) < 0) {
			if (relaxed[i].json != NULL)
				fail_msg("refused: %s: %d:%d %s", source.s, error.line,
					 error.column, error.detail);
			assert_place(&error, source);
			continue;
		}
		if (relaxed[i].json == NULL)
			fail_msg("accepted: %s", source.s);
		if (out.len != strlen(relaxed[i].json) ||
		    memcmp(out.data, relaxed[i].json, out.len) != 0)
			fail_msg("%s became %.*s", source.s, (int)out.len, out.data);
		assert_int_equal(json_scan(&doc, out.data, out.len, NULL), 0);
		assert_true(cjson_reads((struct text){ out.data, out.len }));
	}
	json_clear(&doc);
	buf_clear(&out);
}

static void
a_relaxed_error_has_its_place_in_the_source(void **state)
{
	struct buf out = { 0 };
	struct error error;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(relaxed_places); i++) {
		assert_int_equal(json_relax(relaxed_places[i].source,
					    strlen(relaxed_places[i].source), &out, &error),
				 -1);
		assert_string_equal(error.detail, relaxed_places[i].detail);
		assert_int_equal(error.line, relaxed_places[i].line);
		assert_int_equal(error.column, relaxed_places[i].column);
	}
	assert_int_equal(json_relax(T("[\n\0]"), &out, &error), -1);
	assert_string_equal(error.detail, "a NUL byte");
	assert_int_equal(error.line, 2);
	assert_int_equal(error.column, 1);
	buf_clear(&out);
}

static void
relaxing_appends_unless_it_fails(void **state)
{
	struct buf out = { 0 };
	struct error error;

	(void)state;
	buf_adds(&out, "before");
	assert_int_equal(json_relax(T("[1,2,x]"), &out, NULL), -1);
	assert_int_equal(out.len, 6);
	assert_int_equal(json_relax(T("{a:1,b:2,a:3}"), &out, &error), -1);
	assert_int_equal(error.column, 10);
	assert_int_equal(out.len, 6);
	assert_int_equal(json_relax(T("{a:1}"), &out, NULL), 0);
	assert_true(str_eq((struct str){ out.data, out.len }, STR("before{\"a\":1}")));
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_every_parser_accepts_is_accepted),
		cmocka_unit_test(what_every_parser_refuses_is_refused),
		cmocka_unit_test(what_is_left_to_the_parser_is_fixed),
		cmocka_unit_test(an_error_has_a_place_and_a_reason),
		cmocka_unit_test(every_prefix_has_an_answer),
		cmocka_unit_test(nesting_is_limited_to_thirty_two_levels),
		cmocka_unit_test(names_are_compared_after_unescaping),
		cmocka_unit_test(a_repeated_name_is_found_among_any_number),
		cmocka_unit_test(the_first_repeated_name_is_reported),
		cmocka_unit_test(a_large_document_is_freed),
		cmocka_unit_test(readers_walk_members_and_elements),
		cmocka_unit_test(integers_are_exact_or_refused),
		cmocka_unit_test(strings_are_decoded),
		cmocka_unit_test(quoting_escapes_what_it_must),
		cmocka_unit_test(every_byte_is_written_by_its_rule),
		cmocka_unit_test(a_quoted_text_reads_back_unchanged),
		cmocka_unit_test(a_special_byte_is_found_at_every_offset),
		cmocka_unit_test(the_relaxed_dialect_is_json5),
		cmocka_unit_test(a_relaxed_error_has_its_place_in_the_source),
		cmocka_unit_test(relaxing_appends_unless_it_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
