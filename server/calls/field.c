/*
 * field.c - fields by tables.
 *
 * Two readers, of JSON members and of query parameters, and for each a setter by type. The tables
 * are short, so finding a name is a walk: a length and a few bytes compared.
 */
#include "server/calls/field.h"

#include <assert.h>
#include <stdio.h>

#include "schema/number.h"
#include "server/calls/calls.h"
#include "server/calls/near.h"
#include "server/http/target.h"

#define FIELDS_MAX 24
#define POINTER_BYTES_MAX 96

#define WHY_BYTES 96

/* Sets the member. Returns NULL, or why it cannot: a literal, or text written into why. */
typedef const char *setter(void *at, const struct field *field, const struct json *doc,
			   size_t token, struct arena *arena, char why[WHY_BYTES]);

static const char *
out_of_bounds(const struct field *field, char why[WHY_BYTES])
{
	snprintf(why, WHY_BYTES, "must be an integer from %lld to %lld", (long long)field->min,
		 (long long)field->max);
	return why;
}

static const char *
set_text(void *at, const struct field *field, const struct json *doc, size_t token,
	 struct arena *arena, char why[WHY_BYTES])
{
	struct str text;

	if (doc->tokens[token].type != JSON_STRING)
		return "must be a string";
	text = json_string(doc, token, arena);
	*(struct str *)at = text;
	if (field->type != FIELD_TEXT || field->max == 0 ||
	    (text.len >= (size_t)field->min && text.len <= (size_t)field->max))
		return NULL;
	snprintf(why, WHY_BYTES, "must have %lld to %lld bytes", (long long)field->min,
		 (long long)field->max);
	return why;
}

static const char *
set_bool(void *at, const struct field *field, const struct json *doc, size_t token,
	 /* NOLINTNEXTLINE(readability-non-const-parameter): as every setter */
	 struct arena *arena, char why[WHY_BYTES])
{
	(void)field;
	(void)arena;
	(void)why;
	*(bool *)at = doc->tokens[token].type == JSON_TRUE;
	return *(bool *)at || doc->tokens[token].type == JSON_FALSE ? NULL
								    : "must be true or false";
}

static const char *
set_number(void *at, const struct field *field, const struct json *doc, size_t token,
	   struct arena *arena, char why[WHY_BYTES])
{
	int64_t number;

	(void)arena;
	if (doc->tokens[token].type != JSON_NUMBER || !json_int64(doc, token, &number) ||
	    number < field->min || number > field->max)
		return out_of_bounds(field, why);
	if (field->type == FIELD_SIZE)
		*(size_t *)at = (size_t)number;
	else
		*(int64_t *)at = number;
	return NULL;
}

/* Fields that hold one of a few words; the index of the word is their value. */
#define CHOICE_WORDS_MAX 6
static const struct {
	const char *words[CHOICE_WORDS_MAX];
	const char *why; /* what it must be, where it is none of them */
} choices[] = {
	[FIELD_BOOL] = { { "false", "true" }, "must be true or false" }, /* in a query */
	[FIELD_WAKE] = { { [WAKE_NEXT_HEARTBEAT] = "next-heartbeat", [WAKE_NOW] = "now" },
			 "must be \"now\" or \"next-heartbeat\"" },
	[FIELD_SORT] = { { [SORT_KEY] = "key",
			   [SORT_DEPTH] = "depth",
			   [SORT_OLDEST] = "oldest",
			   [SORT_NEWEST] = "newest",
			   [SORT_PROBLEM] = "problem",
			   [SORT_UNATTENDED] = "unattended" },
			 "must be key, depth, oldest, newest, problem or unattended" },
	[FIELD_PROBLEM] = { { "any", "stranded", "full", "unattended", "dead" },
			    "must be any, stranded, full, unattended or dead" },
	[FIELD_FORMAT] = { { "json", "prompt" }, "must be \"json\" or \"prompt\"" },
	[FIELD_EXEC_COMPLETIONS] = { { "leave", "include" }, "must be \"leave\" or \"include\"" },
};

static const char *
choose(void *at, const struct field *field, struct str word)
{
	const char *const *words = choices[field->type].words;

	for (int i = 0; i < CHOICE_WORDS_MAX && words[i] != NULL; i++) {
		if (!str_eq(word, str_of(words[i])))
			continue;
		if (field->type == FIELD_WAKE)
			*(enum wake *)at = (enum wake)i;
		else if (field->type == FIELD_SORT)
			*(enum sort *)at = (enum sort)i;
		else if (field->type == FIELD_PROBLEM)
			*(unsigned *)at = i == 0 ? SESSION_PROBLEMS_ANY : SESSION_PROBLEM(i - 1);
		else
			*(bool *)at = i == 1;
		return NULL;
	}
	return choices[field->type].why;
}

static const char *
set_choice(void *at, const struct field *field, const struct json *doc, size_t token,
	   /* NOLINTNEXTLINE(readability-non-const-parameter): as every setter */
	   struct arena *arena, char why[WHY_BYTES])
{
	(void)why;
	return choose(at, field,
		      doc->tokens[token].type == JSON_STRING ? json_string(doc, token, arena)
							     : STR_NULL);
}

static setter *const setters[] = {
	[FIELD_TEXT] = set_text,
	[FIELD_BOOL] = set_bool,
	[FIELD_SIZE] = set_number,
	[FIELD_INT64] = set_number,
	[FIELD_WAKE] = set_choice,
	[FIELD_FORMAT] = set_choice,
	[FIELD_EXEC_COMPLETIONS] = set_choice,
};

/* "/name" with the name escaped as RFC 6901 wants, cut where it is too long to be any of ours. */
static void
add_named(struct bad_fields *bad, struct str name, const char *slash, const char *why)
{
	char pointer[POINTER_BYTES_MAX];
	size_t len = (size_t)snprintf(pointer, sizeof(pointer), "%s", slash);

	for (size_t i = 0; i < name.len && len < sizeof(pointer) - 8; i++) {
		if (*slash != '\0' && (name.s[i] == '~' || name.s[i] == '/')) {
			pointer[len++] = '~';
			pointer[len++] = name.s[i] == '~' ? '0' : '1';
		} else
			pointer[len++] = name.s[i];
	}
	while (!text_is_utf8(pointer, len))
		len--; /* the cut went through a character */
	bad_fields_add(bad, (struct str){ pointer, len }, why);
}

/* The name without the "/" in front. */
static struct str
bare(const struct field *field)
{
	return (struct str){ field->name.s + 1, field->name.len - 1 };
}

static size_t
field_named(const struct field *fields, size_t count, struct str name)
{
	size_t i = 0;

	while (i < count && !str_eq(bare(&fields[i]), name))
		i++;
	return i;
}

/* Whether one more will be listed. The others are only counted: a body may have 100,000. */
static bool
has_room(const struct bad_fields *bad)
{
	return bad->count < BAD_FIELDS_LISTED;
}

/* Lists a name that is none of a kind, and the one that it was probably meant to be. */
static void
add_unknown(struct bad_fields *bad, const struct near *near, const char *slash, const char *what)
{
	char why[WHY_BYTES];

	if (!has_room(bad)) {
		bad->count++;
		return;
	}
	if (near->name.s != NULL)
		snprintf(why, sizeof(why), "is not a %s (did you mean %.*s?)", what,
			 (int)near->name.len, near->name.s);
	else
		snprintf(why, sizeof(why), "is not a %s", what);
	add_named(bad, near->word, slash, why);
}

/* fields may be NULL: nothing is known that it could be. */
static void
add_unknown_field(struct bad_fields *bad, struct str name, const struct field *fields, size_t count,
		  const char *slash)
{
	struct near near = near_begin(name);

	for (size_t i = 0; i < count && has_room(bad); i++)
		near_try(&near, bare(&fields[i]));
	add_unknown(bad, &near, slash,
		    *slash != '\0' ? "field of this call" : "parameter of this call");
}

static void
check_delivery_field(struct bad_fields *bad, struct str name)
{
	struct near near = near_begin(name);
	struct str known;

	for (size_t i = 0; (known = delivery_field_name(i)).s != NULL; i++)
		if (str_eq(known, name))
			return;
	for (size_t i = 0; (known = delivery_field_name(i)).s != NULL && has_room(bad); i++)
		near_try(&near, known);
	add_unknown(bad, &near, "/deliveryContext/", "field of a delivery context");
}

/* An array of strings; a bad item has its own pointer. */
static void
read_texts(struct texts *ret, const struct field *field, const struct json *doc, size_t token,
	   struct arena *arena, struct bad_fields *bad)
{
	char pointer[POINTER_BYTES_MAX], why[WHY_BYTES];
	size_t count = 0, n = 0;

	if (doc->tokens[token].type != JSON_ARRAY) {
		bad_fields_add(bad, field->name, "must be an array of strings");
		return;
	}
	for (size_t t = json_first(doc, token); t != 0; t = json_next(doc, token, t))
		count++;
	if (count > (size_t)field->max) {
		snprintf(why, sizeof(why), "must have at most %lld items", (long long)field->max);
		bad_fields_add(bad, field->name, why);
		return;
	}
	*ret = (struct texts){ arena_alloc(arena, count * sizeof(*ret->items)), count };
	for (size_t t = json_first(doc, token); t != 0; t = json_next(doc, token, t), n++) {
		if (set_text(&ret->items[n], field, doc, t, arena, why) == NULL)
			continue;
		snprintf(pointer, sizeof(pointer), "%s/%zu", field->name.s, n);
		bad_fields_add(bad, str_of(pointer), "must be a string");
	}
}

static void
read_delivery(struct delivery *ret, const struct json *doc, size_t token, struct arena *arena,
	      struct bad_fields *bad)
{
	struct error err;

	if (delivery_read(doc, token, arena, ret, &err) != 0) {
		bad_fields_add(bad, str_of(err.pointer), err.detail);
		return;
	}
	if (bad->drop_unknown_delivery || doc->tokens[token].type != JSON_OBJECT)
		return;
	for (size_t t = json_first(doc, token); t != 0; t = json_next(doc, token, t))
		check_delivery_field(bad, json_string(doc, t, arena));
}

static void
read_member(const struct json *doc, size_t token, const struct field *field, void *target,
	    struct arena *arena, struct bad_fields *bad)
{
	void *at = (char *)target + field->offset;
	char text[WHY_BYTES];
	const char *why;

	if (field->type == FIELD_DELIVERY)
		read_delivery(at, doc, token, arena, bad);
	else if (field->type == FIELD_TEXTS)
		read_texts(at, field, doc, token, arena, bad);
	else if ((why = setters[field->type](at, field, doc, token, arena, text)) != NULL)
		bad_fields_add(bad, field->name, why);
}

void
fields_add_unknown(struct bad_fields *bad, struct str name)
{
	add_unknown_field(bad, name, NULL, 0, "/");
}

/*
 * Said only where nothing else was wrong: a sessionKey of a wrong type is there, though not in the
 * address.
 */
static void
need_address(const struct address *address, struct str pointer, size_t count_before,
	     struct bad_fields *bad)
{
	if (address != NULL && address->session_key.s == NULL && address->agent_id.s == NULL &&
	    address->queue_key.s == NULL && bad->count == count_before)
		bad_fields_add(bad, pointer, "is required unless agentId is given");
}

void
fields_read(const struct json *doc, size_t token, const struct field *fields, size_t count,
	    void *target, const struct address *address, struct arena *arena,
	    struct bad_fields *bad)
{
	size_t count_before = bad->count;
	uint32_t seen = 0;

	assert(count <= FIELDS_MAX);
	if (doc->tokens[token].type != JSON_OBJECT) {
		bad_fields_add(bad, STR(""), "must be an object");
		return;
	}
	for (size_t t = json_first(doc, token); t != 0; t = json_next(doc, token, t)) {
		struct str name = json_string(doc, t, arena);
		size_t i = field_named(fields, count, name);

		if (i == count) {
			add_unknown_field(bad, name, fields, count, "/");
			continue;
		}
		if (doc->tokens[t + 1].type == JSON_NULL)
			continue;
		seen |= 1u << i;
		read_member(doc, t + 1, &fields[i], target, arena, bad);
	}
	for (size_t i = 0; i < count; i++)
		if (fields[i].required && (seen & 1u << i) == 0)
			bad_fields_add(bad, fields[i].name, "is required");
	need_address(address, STR("/sessionKey"), count_before, bad);
}

/* --- queries --- */

static const char *
set_parameter(void *at, const struct field *field, struct str value, char why[WHY_BYTES])
{
	int64_t number;

	switch (field->type) {
	case FIELD_TEXT:
		*(struct str *)at = value;
		return NULL;
	case FIELD_BOOL:
	case FIELD_SORT:
	case FIELD_PROBLEM:
	case FIELD_WAKE:
	case FIELD_FORMAT:
	case FIELD_EXEC_COMPLETIONS:
		return choose(at, field, value);
	default:
		if (number_parse(value, field->min, field->max, &number) != NUMBER_PARSED)
			return out_of_bounds(field, why);
		if (field->type == FIELD_SIZE)
			*(size_t *)at = (size_t)number;
		else
			*(int64_t *)at = number;
		return NULL;
	}
}

static int
read_query(struct request *request, const struct field *fields, size_t count, void *target,
	   struct bad_fields *bad)
{
	struct str rest = request->query, name, value;
	struct error err;
	uint32_t seen = 0;

	while (query_next(&rest, &name, &value)) {
		char text[WHY_BYTES];
		const char *why;
		size_t i;

		if (target_decode(&request->arena, name, true, &name, &err) != 0 ||
		    target_decode(&request->arena, value, true, &value, &err) != 0) {
			problem_send(request, &err);
			return -1;
		}
		i = field_named(fields, count, name);
		if (i == count) {
			add_unknown_field(bad, name, fields, count, "");
			continue;
		}
		if ((seen & 1u << i) != 0)
			why = "may be given once";
		else
			why = set_parameter((char *)target + fields[i].offset, &fields[i], value,
					    text);
		seen |= 1u << i;
		if (why != NULL)
			add_named(bad, name, "", why);
	}
	return 0;
}

int
body_scan(struct request *request)
{
	struct error err;

	if (json_scan(&calls_of(request)->doc, request->body.s, request->body.len, &err) == 0)
		return 0;
	problem_send(request, &err);
	return -1;
}

int
body_read(struct request *request, const struct field *fields, size_t count, void *target,
	  const struct address *address)
{
	struct bad_fields bad = { 0 };

	if (body_scan(request) != 0)
		return -1;
	fields_read(&calls_of(request)->doc, 0, fields, count, target, address, &request->arena,
		    &bad);
	if (bad.count == 0)
		return 0;
	problem_send_fields(request, &bad);
	return -1;
}

int
query_read(struct request *request, const struct field *fields, size_t count, void *target,
	   const struct address *address)
{
	struct bad_fields bad = { 0 };

	if (read_query(request, fields, count, target, &bad) != 0) {
		bad_fields_clear(&bad);
		return -1;
	}
	need_address(address, STR("sessionKey"), 0, &bad);
	if (bad.count == 0)
		return 0;
	problem_send_fields(request, &bad);
	return -1;
}
