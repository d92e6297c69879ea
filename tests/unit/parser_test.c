/*
 * parser_test.c - the parser's result does not depend on how a message is cut, and it reads nothing
 * past its end.
 */
#include "server/http/parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct parser_limits limits = { 512, 128, 256 };

struct result {
	enum parsed ended;
	enum error_code code;
	size_t used; /* bytes of the input that belong to the message */
	char body[512], target[256], host[128];
	bool keeps_alive;
};

static void
take_texts(struct parser *parser, const char *base, struct result *ret)
{
	struct str host = parser_text(base, parser->headers[HEADER_HOST]);

	memcpy(ret->target, base + parser->target.start, parser->target.len);
	memcpy(ret->host, host.s, host.len);
}

/*
 * Feeds the first bytes of the text together, the rest in pieces of `step` bytes. Each piece has
 * memory of exactly its size, so that ASan sees a read past its end.
 */
static struct result
parse_cut(const char *text, size_t first, size_t step)
{
	struct parser parser;
	struct result result = { .ended = PARSED_MORE };
	size_t len = strlen(text), given = 0, held = 0;
	char *base = NULL;

	parser_init(&parser, &limits);
	while (result.ended == PARSED_MORE || result.ended == PARSED_HEAD) {
		if (result.ended == PARSED_MORE) {
			size_t wanted = given == 0 ? first : step;
			size_t piece = len - given < wanted ? len - given : wanted;
			char *moved;

			if (piece == 0)
				break;
			moved = malloc(held + piece);
			if (held > 0)
				memcpy(moved, base, held);
			memcpy(moved + held, text + given, piece);
			free(base);
			base = moved;
			held += piece;
			given += piece;
		}
		result.ended = parser_feed(&parser, base, held);
		if (result.ended == PARSED_HEAD)
			take_texts(&parser, base, &result);
		else if (result.ended == PARSED_MORE)
			held = parser_end(&parser);
	}
	result.code = parser.error.code;
	result.used = given - (held - parser.fed);
	if (result.ended == PARSED_DONE) {
		memcpy(result.body, base + parser.head_len, parser.body_len);
		result.keeps_alive = parser_keeps_alive(&parser);
	}
	free(base);
	return result;
}

static void
assert_same(const struct result *other, const struct result *ret)
{
	assert_int_equal(other->ended, ret->ended);
	assert_int_equal(other->code, ret->code);
	assert_string_equal(other->body, ret->body);
	assert_string_equal(other->target, ret->target);
	assert_int_equal(other->keeps_alive, ret->keeps_alive);
	if (ret->ended == PARSED_DONE)
		assert_int_equal(other->used, ret->used);
}

static void
whole_and_in_pieces(const char *text, struct result *ret)
{
	const size_t len = strlen(text);

	*ret = parse_cut(text, len, len);
	for (size_t step = 1; step < 8; step++) {
		struct result other = parse_cut(text, step, step);

		assert_same(&other, ret);
	}
	for (size_t first = 1; first < len; first++) {
		struct result other = parse_cut(text, first, len);

		assert_same(&other, ret);
	}
}

#define HOST "Host: h:1\r\n"

static void
a_message_is_read_to_its_end_and_no_further(void **state)
{
	static const struct {
		const char *text, *body, *rest;
		bool keeps_alive;
	} rows[] = {
		{ "GET /a?b HTTP/1.1\r\n" HOST "\r\nGET", "", "GET", true },
		{ "\r\nGET /a?b HTTP/1.1\r\n" HOST "\r\n", "", "", true },
		{ "GET /a?b HTTP/1.0\r\n" HOST "\r\n", "", "", false },
		{ "GET /a?b HTTP/1.0\r\nConnection: keep-alive\r\n" HOST "\r\n", "", "", true },
		{ "GET /a?b HTTP/1.1\r\nConnection: x, close\r\n" HOST "\r\n", "", "", false },
		{ "POST /a?b HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhelloPOST", "hello",
		  "POST", true },
		{ "POST /a?b HTTP/1.1\r\n" HOST
		  "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: "
		  "x\r\n\r\nGET",
		  "hello", "GET", true },
		{ "POST /a?b HTTP/1.1\r\n" HOST
		  "Transfer-Encoding: Chunked\r\n\r\n2\r\na\n\r\n0\r\nT:  x\r\n\r\n",
		  "a\n", "", true },
		{ "GET /a?b HTTP/1.1\r\n" HOST "Connection: upgrade\r\nUpgrade: h2c\r\n\r\nabc", "",
		  "abc", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct result result;

		whole_and_in_pieces(rows[i].text, &result);
		assert_int_equal(result.ended, PARSED_DONE);
		assert_string_equal(result.target, "/a?b");
		assert_string_equal(result.host, "h:1");
		assert_string_equal(result.body, rows[i].body);
		assert_string_equal(rows[i].text + result.used, rows[i].rest);
		assert_int_equal(result.keeps_alive, rows[i].keeps_alive);
	}
}

static void
a_bad_message_is_refused_however_it_is_cut(void **state)
{
	static const struct {
		const char *text;
		enum error_code code;
	} rows[] = {
		{ "GET /\r\n\r\n", ERROR_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n\r\n", ERROR_BAD_REQUEST },
		{ "GET / HTTP/2.0\r\n", ERROR_HTTP_VERSION },
		{ "GET / HTTP/1.1\r\n" HOST HOST "\r\n", ERROR_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", ERROR_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", ERROR_BAD_REQUEST },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", ERROR_BAD_REQUEST },
		{ "GET / RTSP/1.0\r\n" HOST "\r\n", ERROR_BAD_REQUEST },
		{ "GET  / HTTP/1.1\r\n" HOST "\r\n", ERROR_BAD_REQUEST },
		{ "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		  ERROR_BAD_REQUEST },
		{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n",
		  ERROR_NOT_IMPLEMENTED },
		{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n",
		  ERROR_BAD_REQUEST },
		{ "POST / HTTP/1.1\r\n" HOST "Expect: tea\r\n\r\n", ERROR_EXPECTATION_FAILED },
		{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 257\r\n\r\n", ERROR_TOO_LARGE },
		{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n101\r\n",
		  ERROR_TOO_LARGE },
		{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\rX",
		  ERROR_BAD_REQUEST },
		{ "POST / HTTP/1.1\r\n" HOST
		  "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nContent-Length: 4\r\n\r\n",
		  ERROR_BAD_REQUEST },
		{ "POST / HTTP/1.1\r\n" HOST
		  "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: a\r\n b\r\n\r\n",
		  ERROR_BAD_REQUEST },
		{ "POST / HTTP/1.1\r\n" HOST
		  "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n: a\r\n\r\n",
		  ERROR_BAD_REQUEST },
		{ "\rGET / HTTP/1.1\r\n" HOST "\r\n", ERROR_BAD_REQUEST },
		{ "CONNECT /v1 HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", ERROR_BAD_REQUEST },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct result result;

		whole_and_in_pieces(rows[i].text, &result);
		assert_int_equal(result.ended, PARSED_FAILED);
		assert_int_equal(result.code, rows[i].code);
	}
}

/* A header that frames, with white space around its value, and how the message must end. */
static void
check_framing(const char *name, const char *value, const char *before, const char *after,
	      const char *body)
{
	bool refused = strcmp(name, "Transfer-Encoding") == 0 && strchr(after, '\t') != NULL;
	char text[512];
	struct result result;

	snprintf(text, sizeof(text), "POST / HTTP/1.1\r\n%s:%s%s%s\r\n" HOST "A: b\tc\r\n\r\n%sGET",
		 name, before, value, after, body);
	whole_and_in_pieces(text, &result);
	assert_int_equal(result.ended, refused ? PARSED_FAILED : PARSED_DONE);
	if (refused)
		return;
	assert_string_equal(result.body, "hello");
	assert_string_equal(text + result.used, "GET");
}

static void
white_space_around_a_length_or_coding_never_moves_the_end(void **state)
{
	static const char *const spaces[] = { "", " ", "\t", " \t", "\t ", "\t\t", "   " };
	const size_t count = sizeof(spaces) / sizeof(spaces[0]);

	(void)state;
	for (size_t i = 0; i < count * count; i++) {
		const char *before = spaces[i / count], *after = spaces[i % count];

		check_framing("Content-Length", "5", before, after, "hello");
		check_framing("Transfer-Encoding", "chunked", before, after,
			      "5;a = \"b\"\r\nhello\r\n0\r\nT: u\r\n\r\n");
	}
}

static void
every_part_has_its_limit(void **state)
{
	static const struct {
		const char *before;
		enum error_code code;
	} rows[] = {
		{ "GET /", ERROR_URI_TOO_LONG },
		{ "GET / HTTP/1.1\r\nX: ", ERROR_HEADERS_TOO_LARGE },
		{ "GET / HTTP/1.1\r\n", ERROR_HEADERS_TOO_LARGE },
		{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1;",
		  ERROR_HEADERS_TOO_LARGE },
		{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\nT: ",
		  ERROR_HEADERS_TOO_LARGE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[1024];
		struct result result;
		size_t len = strlen(rows[i].before);

		memcpy(text, rows[i].before, len);
		memset(text + len, 'x', sizeof(text) - len - 1);
		text[sizeof(text) - 1] = '\0';
		whole_and_in_pieces(text, &result);
		assert_int_equal(result.ended, PARSED_FAILED);
		assert_int_equal(result.code, rows[i].code);
	}
}

static void
a_dropped_body_is_read_but_not_kept(void **state)
{
	char text[] = "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello";
	struct parser parser;

	(void)state;
	parser_init(&parser, &limits);
	assert_int_equal(parser_feed(&parser, text, sizeof(text) - 3), PARSED_HEAD);
	parser.drop_body = true;
	assert_int_equal(parser_feed(&parser, text, sizeof(text) - 3), PARSED_MORE);
	assert_int_equal(parser_end(&parser), parser.head_len);
	assert_int_equal(parser_body_missing(&parser), 2);
	memcpy(text + parser.fed, "lo", 2);
	assert_int_equal(parser_feed(&parser, text, parser.fed + 2), PARSED_DONE);
	assert_int_equal(parser.body_len, 0);
	assert_int_equal(parser.body_seen, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_read_to_its_end_and_no_further),
		cmocka_unit_test(a_bad_message_is_refused_however_it_is_cut),
		cmocka_unit_test(white_space_around_a_length_or_coding_never_moves_the_end),
		cmocka_unit_test(every_part_has_its_limit),
		cmocka_unit_test(a_dropped_body_is_read_but_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
