/*
 * delivery.c - delivery contexts: read from JSON, merged, written.
 */
#include "schema/delivery.h"

#include <math.h>
#include <stdlib.h>

#include "schema/number.h"
#include "schema/session_key.h"

/* Aliases of channels, folded (ROUTING section 7). */
static const struct {
	struct str alias, channel;
} aliases[] = {
	{ STR_INIT("lark"), STR_INIT("feishu") },
	{ STR_INIT("gchat"), STR_INIT("googlechat") },
	{ STR_INIT("google-chat"), STR_INIT("googlechat") },
	{ STR_INIT("imsg"), STR_INIT("imessage") },
	{ STR_INIT("internet-relay-chat"), STR_INIT("irc") },
	{ STR_INIT("teams"), STR_INIT("msteams") },
	{ STR_INIT("nc"), STR_INIT("nextcloud-talk") },
	{ STR_INIT("nc-talk"), STR_INIT("nextcloud-talk") },
	{ STR_INIT("twitch-chat"), STR_INIT("twitch") },
	{ STR_INIT("zl"), STR_INIT("zalo") },
	{ STR_INIT("zlu"), STR_INIT("zalouser") },
};

bool
delivery_none(const struct delivery *d)
{
	return d->channel.len == 0 && d->to.len == 0 && d->account_id.len == 0 &&
	       d->thread_id.len == 0;
}

/* --- reading --- */

static void
read_channel(struct delivery *d, struct str text, struct arena *arena)
{
	d->channel = text_fold(arena, text);
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (str_eq(d->channel, aliases[i].alias))
			d->channel = aliases[i].channel;
}

static void
read_to(struct delivery *d, struct str text, struct arena *arena)
{
	(void)arena;
	d->to = text_trim(text);
}

static void
read_account(struct delivery *d, struct str text, struct arena *arena)
{
	d->account_id = account_id_normalize_optional(arena, text);
}

static void
read_thread(struct delivery *d, struct str text, struct arena *arena)
{
	(void)arena;
	d->thread_id = text_trim(text);
}

/* A thread id that is a number becomes its integer part, as text. Infinity counts as absent. */
static void
read_thread_number(struct delivery *d, struct str literal, struct arena *arena)
{
	double n = trunc(strtod(arena_dup(arena, literal).s, NULL));
	char text[NUMBER_BYTES];

	if (!isfinite(n))
		return;
	d->thread_id = arena_dup(arena, number_text(n, text));
	d->thread_is_number = true;
}

/* The fields, in the order in which delivery_write writes them. */
static const struct {
	struct str name;
	void (*read)(struct delivery *d, struct str text, struct arena *arena);
	/* NULL: the field takes strings only */
	void (*read_number)(struct delivery *d, struct str literal, struct arena *arena);
} fields[] = {
	{ STR_INIT("channel"), read_channel, NULL },
	{ STR_INIT("to"), read_to, NULL },
	{ STR_INIT("accountId"), read_account, NULL },
	{ STR_INIT("threadId"), read_thread, read_thread_number },
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

struct str
delivery_field_name(size_t i)
{
	return i < FIELD_COUNT ? fields[i].name : STR_NULL;
}

static void
read_member(const struct json *doc, size_t name, struct arena *arena, struct delivery *d)
{
	struct str text = json_string(doc, name, arena);
	uint8_t type = doc->tokens[name + 1].type;

	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (!str_eq(text, fields[i].name))
			continue;
		if (type == JSON_STRING)
			fields[i].read(d, json_string(doc, name + 1, arena), arena);
		else if (type == JSON_NUMBER && fields[i].read_number != NULL)
			fields[i].read_number(d, json_raw(doc, name + 1), arena);
	}
}

int
delivery_read(const struct json *doc, size_t token, struct arena *arena, struct delivery *ret,
	      struct error *err)
{
	struct delivery d = { 0 };

	if (doc->tokens[token].type == JSON_OBJECT) {
		for (size_t name = json_first(doc, token); name != 0;
		     name = json_next(doc, token, name))
			read_member(doc, name, arena, &d);
	} else if (doc->tokens[token].type != JSON_NULL) {
		return error_set_field(err, "/deliveryContext", "deliveryContext is not an object");
	}
	*ret = d;
	return 0;
}

/* --- merging and writing --- */

static bool
conflict(struct str a, struct str b)
{
	return a.len > 0 && b.len > 0 && !str_eq(a, b);
}

static struct str
either(struct str first, struct str second)
{
	return first.len > 0 ? first : second;
}

void
delivery_merge(const struct delivery *older, const struct delivery *newer, struct delivery *ret)
{
	bool other_account = conflict(older->account_id, newer->account_id);
	struct delivery d = *newer;

	if (!other_account)
		d.channel = either(newer->channel, older->channel);
	if (!other_account && !conflict(older->channel, newer->channel)) {
		d.to = either(newer->to, older->to);
		d.account_id = either(newer->account_id, older->account_id);
		d.thread_id = either(newer->thread_id, older->thread_id);
		d.thread_is_number =
		    newer->thread_id.len > 0 ? newer->thread_is_number : older->thread_is_number;
	}
	*ret = d;
}

void
delivery_write(struct buf *out, const struct delivery *d)
{
	const struct str values[FIELD_COUNT] = { d->channel, d->to, d->account_id, d->thread_id };
	const char *before = "{";

	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (values[i].len == 0)
			continue;
		buf_adds(out, before);
		json_quote(out, fields[i].name);
		buf_adds(out, ":");
		if (i == FIELD_COUNT - 1 && d->thread_is_number)
			buf_add(out, values[i].s, values[i].len);
		else
			json_quote(out, values[i]);
		before = ",";
	}
	buf_adds(out, before[0] == '{' ? "{}" : "}");
}
