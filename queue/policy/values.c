/*
 * values.c - String(), ??, truthiness and ids, over cJSON.
 */
#include "queue/policy/values.h"

#include "schema/number.h"

const cJSON *
value_member(const cJSON *object, const char *name)
{
	return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, name) : NULL;
}

struct str
value_text(const cJSON *value)
{
	return cJSON_IsString(value) ? str_of(value->valuestring) : STR_NULL;
}

bool
value_is(const cJSON *value, const char *text)
{
	return cJSON_IsString(value) && strcmp(value->valuestring, text) == 0;
}

bool
value_nullish(const cJSON *value)
{
	return value == NULL || cJSON_IsNull(value);
}

bool
value_falsy(const cJSON *value)
{
	return value_nullish(value) || cJSON_IsFalse(value) || value_is(value, "") ||
	       (cJSON_IsNumber(value) && value->valuedouble == 0);
}

/* Writes String(value). In an array a null element is empty, though null alone is "null". */
static void
write_string(struct buf *out, const cJSON *value)
{
	char number[NUMBER_BYTES];
	const cJSON *element;

	if (cJSON_IsString(value)) {
		buf_adds(out, value->valuestring);
	} else if (cJSON_IsNumber(value)) {
		struct str text = number_text(value->valuedouble, number);

		buf_add(out, text.s, text.len);
	} else if (cJSON_IsArray(value)) {
		cJSON_ArrayForEach(element, value)
		{
			if (element != value->child)
				buf_adds(out, ",");
			if (!cJSON_IsNull(element))
				write_string(out, element);
		}
	} else {
		buf_adds(out, cJSON_IsObject(value)  ? "[object Object]"
			      : cJSON_IsTrue(value)  ? "true"
			      : cJSON_IsFalse(value) ? "false"
						     : "null");
	}
}

struct str
value_stringify(struct arena *arena, const cJSON *value)
{
	struct buf out = { 0 };
	struct str text;

	write_string(&out, value);
	text = arena_dup(arena, (struct str){ out.data != NULL ? out.data : "", out.len });
	buf_clear(&out);
	return text;
}

struct str
value_id(struct arena *arena, const cJSON *value)
{
	if (!cJSON_IsString(value) && !cJSON_IsNumber(value))
		return STR("");
	return text_trim(value_stringify(arena, value));
}
