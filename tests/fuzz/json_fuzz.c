/*
 * json_fuzz.c - cJSON reads every text that the strict scanner accepts as the same value, and a
 * second scan agrees.
 */
#include "schema/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "fuzz.h"

/* The longest number that every version of cJSON reads. */
#define CJSON_NUMBER_BYTES 63

static void
check_refusal(const struct error *error, size_t size)
{
	assert(error->code == ERROR_INVALID_JSON && error->detail[0] != '\0');
	assert(error->line >= 1 && (size_t)error->line <= size + 1);
	assert(error->column >= 1 && (size_t)error->column <= size + 1);
}

static bool
has_long_number(const struct json *doc)
{
	size_t t;

	for (t = 0; t < doc->count; t++)
		if (doc->tokens[t].type == JSON_NUMBER && json_raw(doc, t).len > CJSON_NUMBER_BYTES)
			return true;
	return false;
}

static void
check_text(const struct json *doc, size_t token, const char *expected)
{
	struct arena arena = { 0 };
	const struct str s = json_string(doc, token, &arena);
	struct json again = { 0 };
	struct buf quoted = { 0 };

	assert(text_is_utf8(s.s, s.len));
	assert(s.len == strlen(expected) && memcmp(s.s, expected, s.len) == 0);
	json_quote(&quoted, s);
	assert(json_scan(&again, quoted.data, quoted.len, NULL) == 0);
	assert(str_eq(json_string(&again, 0, &arena), s));
	buf_clear(&quoted);
	json_clear(&again);
	arena_clear(&arena);
}

static void
check_number(const struct json *doc, size_t token, const cJSON *json)
{
	int64_t n;

	if (json_int64(doc, token, &n))
		assert((double)n == json->valuedouble);
}

/* Checks that the value at `token` equals that of `json`. */
static void
check_value(const struct json *doc, size_t token, const cJSON *json)
{
	static const int types[] = { cJSON_NULL,   cJSON_False, cJSON_True,  cJSON_Number,
				     cJSON_String, cJSON_Array, cJSON_Object };
	const uint8_t type = doc->tokens[token].type;
	const cJSON *child = json->child;
	size_t t;

	assert((json->type & 0xff) == types[type]);
	if (type == JSON_STRING)
		check_text(doc, token, json->valuestring);
	if (type == JSON_NUMBER)
		check_number(doc, token, json);
	if (type < JSON_ARRAY)
		return;
	for (t = json_first(doc, token); t != 0;
	     t = json_next(doc, token, t), child = child->next) {
		assert(child != NULL);
		if (type == JSON_OBJECT)
			check_text(doc, t, child->string);
		check_value(doc, type == JSON_OBJECT ? t + 1 : t, child);
	}
	assert(child == NULL);
}

static bool
same_tokens(const struct json *a, const struct json *b)
{
	size_t t;

	for (t = 0; t < a->count && t < b->count; t++) {
		const struct json_token *x = &a->tokens[t], *y = &b->tokens[t];

		if (x->start != y->start || x->end != y->end || x->next != y->next ||
		    x->type != y->type || x->escaped != y->escaped)
			return false;
	}
	return a->count == b->count;
}

static void
check_again(const struct json *doc, const char *text, size_t size)
{
	struct json again = { 0 };
	struct buf out = { 0 };

	assert(json_scan(&again, text, size, NULL) == 0);
	assert(same_tokens(&again, doc));
	if (json_relax(text, size, &out, NULL) == 0) {
		assert(json_scan(&again, out.data, out.len, NULL) == 0);
		assert(again.count == doc->count);
	}
	json_clear(&again);
	buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct json doc = { 0 };
	struct error error;
	cJSON *json;

	if (json_scan(&doc, text, size, &error) < 0)
		check_refusal(&error, size);
	else {
		check_again(&doc, text, size);
		json = cJSON_ParseWithLength(text, size);
		assert(json != NULL || has_long_number(&doc));
		if (json != NULL)
			check_value(&doc, 0, json);
		cJSON_Delete(json);
	}
	json_clear(&doc);
	return 0;
}
