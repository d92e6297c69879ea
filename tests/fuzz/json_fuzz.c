/*
 * json_fuzz.c - what the strict scanner accepts, cJSON reads as the same value, and scanning again finds the same.
 */
#include "schema/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "fuzz.h"

/* The longest number that every cJSON reads. */
#define CJSON_NUMBER_BYTES 63

static void
check_refusal(const struct sevq_error *error, size_t size)
{
	assert(error->code == SEVQ_INVALID_JSON && error->detail[0] != '\0');
	assert(error->line >= 1 && (size_t)error->line <= size + 1);
	assert(error->column >= 1 && (size_t)error->column <= size + 1);
}

static bool
has_long_number(const struct sevq_json *doc)
{
	size_t t;

	for (t = 0; t < doc->count; t++)
		if (doc->tokens[t].type == SEVQ_JSON_NUMBER && sevq_json_raw(doc, t).len > CJSON_NUMBER_BYTES)
			return true;
	return false;
}

static void
check_text(const struct sevq_json *doc, size_t token, const char *expected)
{
	struct sevq_arena arena = { 0 };
	const struct sevq_str s = sevq_json_string(doc, token, &arena);
	struct sevq_json again = { 0 };
	struct sevq_buf quoted = { 0 };

	assert(sevq_utf8_valid(s.s, s.len));
	assert(s.len == strlen(expected) && memcmp(s.s, expected, s.len) == 0);
	sevq_json_quote(&quoted, s);
	assert(sevq_json_scan(&again, quoted.data, quoted.len, NULL) == 0);
	assert(sevq_str_eq(sevq_json_string(&again, 0, &arena), s));
	sevq_buf_clear(&quoted);
	sevq_json_clear(&again);
	sevq_arena_clear(&arena);
}

static void
check_number(const struct sevq_json *doc, size_t token, const cJSON *json)
{
	int64_t n;

	if (sevq_json_int64(doc, token, &n))
		assert((double)n == json->valuedouble);
}

/* The value at token is the value of json. */
static void
check_value(const struct sevq_json *doc, size_t token, const cJSON *json)
{
	static const int types[] = { cJSON_NULL, cJSON_False, cJSON_True, cJSON_Number, cJSON_String, cJSON_Array, cJSON_Object };
	const uint8_t type = doc->tokens[token].type;
	const cJSON *child = json->child;
	size_t t;

	assert((json->type & 0xff) == types[type]);
	if (type == SEVQ_JSON_STRING)
		check_text(doc, token, json->valuestring);
	if (type == SEVQ_JSON_NUMBER)
		check_number(doc, token, json);
	if (type < SEVQ_JSON_ARRAY)
		return;
	for (t = sevq_json_first(doc, token); t != 0; t = sevq_json_next(doc, token, t), child = child->next) {
		assert(child != NULL);
		if (type == SEVQ_JSON_OBJECT)
			check_text(doc, t, child->string);
		check_value(doc, type == SEVQ_JSON_OBJECT ? t + 1 : t, child);
	}
	assert(child == NULL);
}

static bool
same_tokens(const struct sevq_json *a, const struct sevq_json *b)
{
	size_t t;

	for (t = 0; t < a->count && t < b->count; t++) {
		const struct sevq_json_token *x = &a->tokens[t], *y = &b->tokens[t];

		if (x->start != y->start || x->end != y->end || x->next != y->next || x->type != y->type ||
		    x->escaped != y->escaped)
			return false;
	}
	return a->count == b->count;
}

static void
check_again(const struct sevq_json *doc, const char *text, size_t size)
{
	struct sevq_json again = { 0 };
	struct sevq_buf out = { 0 };

	assert(sevq_json_scan(&again, text, size, NULL) == 0);
	assert(same_tokens(&again, doc));
	if (sevq_json_relax(text, size, &out, NULL) == 0) {
		assert(sevq_json_scan(&again, out.data, out.len, NULL) == 0);
		assert(again.count == doc->count);
	}
	sevq_json_clear(&again);
	sevq_buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct sevq_json doc = { 0 };
	struct sevq_error error;
	cJSON *json;

	if (sevq_json_scan(&doc, text, size, &error) < 0)
		check_refusal(&error, size);
	else {
		check_again(&doc, text, size);
		json = cJSON_ParseWithLength(text, size);
		assert(json != NULL || has_long_number(&doc));
		if (json != NULL)
			check_value(&doc, 0, json);
		cJSON_Delete(json);
	}
	sevq_json_clear(&doc);
	return 0;
}
