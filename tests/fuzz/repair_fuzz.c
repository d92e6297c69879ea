/*
 * repair_fuzz.c - a repaired text has nothing left to repair and keeps what the strict scanner
 * takes; what that then refuses is wrong in its grammar.
 */
#include <assert.h>
#include <string.h>

#include "fuzz.h"
#include "schema/json.h"
#include "schema/json_repair.h"

/* Errors of texts that are valid JSON but cannot be stored. */
static const char *const repairable[] = { "invalid UTF-8", "\\u0000", "half of a surrogate pair" };

static void
check_refusal(const struct error *err)
{
	for (size_t i = 0; i < sizeof(repairable) / sizeof(repairable[0]); i++)
		assert(strstr(err->detail, repairable[i]) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct str text = { (const char *)data, size };
	struct arena arena = { 0 };
	struct json doc = { 0 };
	struct str repaired = json_repair(&arena, text), again = json_repair(&arena, repaired);
	struct error err;

	assert(again.s == repaired.s && again.len == repaired.len);
	if (json_scan(&doc, text.s, text.len, NULL) == 0)
		assert(repaired.s >= text.s && repaired.s + repaired.len <= text.s + text.len);
	if (json_scan(&doc, repaired.s, repaired.len, &err) != 0)
		check_refusal(&err);
	else
		assert(text_is_utf8(repaired.s, repaired.len));
	json_clear(&doc);
	arena_clear(&arena);
	return 0;
}
