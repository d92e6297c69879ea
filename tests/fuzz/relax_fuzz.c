/*
 * relax_fuzz.c - the output of the relaxed dialect passes the strict scanner and cJSON, and
 * relaxing it again changes nothing.
 */
#include <assert.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "fuzz.h"
#include "schema/json.h"

static void
check_output(const struct buf *out)
{
	struct json doc = { 0 };
	struct buf again = { 0 };
	cJSON *json;

	assert(json_scan(&doc, out->data, out->len, NULL) == 0);
	assert(json_relax(out->data, out->len, &again, NULL) == 0);
	assert(again.len == out->len && memcmp(again.data, out->data, out->len) == 0);
	json = cJSON_ParseWithLength(out->data, out->len);
	assert(json != NULL);
	cJSON_Delete(json);
	json_clear(&doc);
	buf_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct buf out = { 0 };
	struct error error;

	if (json_relax(text, size, &out, &error) == 0)
		check_output(&out);
	else {
		assert(error.code == ERROR_INVALID_JSON && error.line >= 1 && error.column >= 1);
		assert((size_t)error.line <= size + 1 && (size_t)error.column <= size + 1 &&
		       out.len == 0);
	}
	buf_clear(&out);
	return 0;
}
