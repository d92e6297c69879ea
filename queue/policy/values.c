/*
 * values.c - String(), ?? and truth over cJSON.
 */
#include "queue/policy/values.h"

#include "schema/number.h"

const cJSON *
sevq_value_member(const cJSON *object, const char *name)
{
	return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, name) : NULL;
}

struct sevq_str
sevq_value_text(const cJSON *value)
{
	return cJSON_IsString(value) ? sevq_str(value->valuestring) : SEVQ_STR_NULL;
}

bool
sevq_value_is(const cJSON *value, const char *text)
{
	return cJSON_IsString(value) && strcmp(value->valuestring, text) == 0;
}

bool
sevq_value_nullish(const cJSON *value)
{
	return value == NULL || cJSON_IsNull(value);
}

bool
sevq_value_falsy(const cJSON *value)
{
	return sevq_value_nullish(value) || cJSON_IsFalse(value) || sevq_value_is(value, "") ||
	       (cJSON_IsNumber(value) && value->valuedouble == 0);
}

/* Elements joined by commas; null elements are empty there, though null alone is "null". */
static void
write_string(struct sevq_buf *out, const cJSON *value)
{
	char number[SEVQ_NUMBER_BYTES];
	const cJSON *element;

	if (cJSON_IsString(value)) {
		sevq_buf_adds(out, value->valuestring);
	} else if (cJSON_IsNumber(value)) {
		struct sevq_str text = sevq_number_text(value->valuedouble, number);

		sevq_buf_add(out, text.s, text.len);
	} else if (cJSON_IsArray(value)) {
		cJSON_ArrayForEach(element, value)
		{
			if (element != value->child)
				sevq_buf_adds(out, ",");
			if (!cJSON_IsNull(element))
				write_string(out, element);
		}
	} else {
		sevq_buf_adds(out, cJSON_IsObject(value)  ? "[object Object]"
				   : cJSON_IsTrue(value)  ? "true"
				   : cJSON_IsFalse(value) ? "false"
							  : "null");
	}
}

struct sevq_str
sevq_value_stringify(struct sevq_arena *arena, const cJSON *value)
{
	struct sevq_buf out = { 0 };
	struct sevq_str text;

	write_string(&out, value);
	text = sevq_arena_dup(arena, (struct sevq_str){ out.data != NULL ? out.data : "", out.len });
	sevq_buf_clear(&out);
	return text;
}

struct sevq_str
sevq_value_id(struct sevq_arena *arena, const cJSON *value)
{
	if (!cJSON_IsString(value) && !cJSON_IsNumber(value))
		return SEVQ_STR("");
	return sevq_trim(sevq_value_stringify(arena, value));
}
