/*
 * variables.c - finding ${VAR} and putting a value in its place. A value is never looked at again
 * for further variables.
 */
#include "server/config/variables.h"

/* A variable named in a string, or one whose naming is escaped. */
struct reference {
	struct str name;
	bool escaped;
	size_t len; /* of all of it in the string */
};

static bool
is_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.s[i];

		if (c != '_' && !(c >= 'A' && c <= 'Z') && !(i > 0 && c >= '0' && c <= '9'))
			return false;
	}
	return name.len > 0;
}

/* Is there a reference at the very start? */
static bool
read_reference(struct str text, struct reference *ret)
{
	const bool escaped = str_starts(text, STR("$${"));
	const size_t before = escaped ? 3 : 2;
	const char *end;
	struct str name;

	if (!escaped && !str_starts(text, STR("${")))
		return false;
	end = memchr(text.s + before, '}', text.len - before);
	if (end == NULL)
		return false;
	name = (struct str){ text.s + before, (size_t)(end - text.s) - before };
	if (!is_name(name))
		return false;
	*ret = (struct reference){ name, escaped, (size_t)(end - text.s) + 1 };
	return true;
}

static struct str
behind(struct str text, size_t len)
{
	return (struct str){ text.s + len, text.len - len };
}

static bool
names_variables(struct str text)
{
	struct reference reference;

	while (text.len > 0) {
		bool found = read_reference(text, &reference);

		if (found && !reference.escaped)
			return true;
		text = behind(text, found ? reference.len : 1);
	}
	return false;
}

/* --- the env block --- */

static bool
is_portable(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.s[i];

		if (c != '_' && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
		    !(i > 0 && c >= '0' && c <= '9'))
			return false;
	}
	return name.len > 0;
}

static bool
is_blank(struct str value)
{
	return value.len == 0 || (text_is_utf8(value.s, value.len) && text_trim(value).len == 0);
}

/* before: how many variables the environment had before the block. */
static void
take_members(struct config_environment *environment, size_t before,
	     const struct config_value *object)
{
	const struct config_value *member =
	    object != NULL && object->type == JSON_OBJECT ? object->first : NULL;

	for (; member != NULL; member = member->next) {
		struct config_environment outside = { environment->items, before, 0, 0 };
		struct str name = text_trim(member->name), value = member->text;

		if (member->type == JSON_STRING && !is_blank(value) && is_portable(name) &&
		    !names_variables(value) && is_blank(config_environment_get(&outside, name)))
			config_environment_set(environment, name, value);
	}
}

void
config_variables_take(struct config_environment *environment, const struct config_value *block)
{
	const size_t before = environment->count;

	take_members(environment, before, config_value_member(block, "vars"));
	take_members(environment, before, block);
}

/* --- replacing --- */

static int
add_variable(struct config_environment *environment, const struct config_value *value,
	     struct str name, struct buf *out, struct error *err)
{
	struct str found = config_environment_get(environment, name);
	const int len = (int)(name.len < 64 ? name.len : 64);

	if (found.len == 0)
		return config_value_fail(err, value, "the variable %.*s is %s", len, name.s,
					 found.s == NULL ? "not set" : "empty");
	if (!text_is_utf8(found.s, found.len))
		return config_value_fail(err, value, "the variable %.*s is not UTF-8", len, name.s);
	environment->given_bytes += found.len;
	if (environment->given_bytes > CONFIG_FILES_BYTES_MAX)
		return config_value_fail(err, value, "variables add over %d bytes to the policy",
					 CONFIG_FILES_BYTES_MAX);
	buf_add(out, found.s, found.len);
	return 0;
}

static int
replace_string(struct config_environment *environment, struct config_value *value,
	       struct arena *arena, struct error *err)
{
	struct str text = value->text;
	struct reference reference;
	struct buf out = { 0 };
	int failed = 0;

	while (text.len > 0 && !failed) {
		if (!read_reference(text, &reference)) {
			buf_add(&out, text.s, 1);
			text = behind(text, 1);
			continue;
		}
		if (reference.escaped)
			buf_add(&out, text.s + 1, reference.len - 1);
		else
			failed = add_variable(environment, value, reference.name, &out, err);
		text = behind(text, reference.len);
	}
	value->text = arena_dup(arena, (struct str){ out.len > 0 ? out.data : "", out.len });
	buf_clear(&out);
	return failed;
}

int
config_variables_replace(struct config_environment *environment, struct config_value *value,
			 struct arena *arena, struct error *err)
{
	struct config_value *item;

	if (value->type == JSON_STRING)
		return memchr(value->text.s, '$', value->text.len) == NULL
			   ? 0
			   : replace_string(environment, value, arena, err);
	for (item = value->first; item != NULL; item = item->next)
		if (config_variables_replace(environment, item, arena, err) != 0)
			return -1;
	return 0;
}
