/*
 * delivery.c - delivery contexts: read from JSON, compared, merged, written.
 */
#include "schema/delivery.h"

#include <math.h>
#include <stdlib.h>

#include "schema/number.h"
#include "schema/session_key.h"

/* Other names of channels, folded. */
static const struct {
	struct sevq_str alias, channel;
} aliases[] = {
	{ SEVQ_STR_INIT("lark"), SEVQ_STR_INIT("feishu") },
	{ SEVQ_STR_INIT("gchat"), SEVQ_STR_INIT("googlechat") },
	{ SEVQ_STR_INIT("google-chat"), SEVQ_STR_INIT("googlechat") },
	{ SEVQ_STR_INIT("imsg"), SEVQ_STR_INIT("imessage") },
	{ SEVQ_STR_INIT("internet-relay-chat"), SEVQ_STR_INIT("irc") },
	{ SEVQ_STR_INIT("teams"), SEVQ_STR_INIT("msteams") },
	{ SEVQ_STR_INIT("nc"), SEVQ_STR_INIT("nextcloud-talk") },
	{ SEVQ_STR_INIT("nc-talk"), SEVQ_STR_INIT("nextcloud-talk") },
	{ SEVQ_STR_INIT("twitch-chat"), SEVQ_STR_INIT("twitch") },
	{ SEVQ_STR_INIT("zl"), SEVQ_STR_INIT("zalo") },
	{ SEVQ_STR_INIT("zlu"), SEVQ_STR_INIT("zalouser") },
};

bool
sevq_delivery_none(const struct sevq_delivery *d)
{
	return d->channel.len == 0 && d->to.len == 0 && d->account_id.len == 0 && d->thread_id.len == 0;
}

bool
sevq_delivery_same(const struct sevq_delivery *a, const struct sevq_delivery *b)
{
	return sevq_str_eq(a->channel, b->channel) && sevq_str_eq(a->to, b->to) && sevq_str_eq(a->account_id, b->account_id) &&
	       sevq_str_eq(a->thread_id, b->thread_id);
}

/* ---- reading ---- */

static void
read_channel(struct sevq_delivery *d, struct sevq_str text, struct sevq_arena *arena)
{
	d->channel = sevq_fold(arena, text);
	for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
		if (sevq_str_eq(d->channel, aliases[i].alias))
			d->channel = aliases[i].channel;
}

static void
read_to(struct sevq_delivery *d, struct sevq_str text, struct sevq_arena *arena)
{
	(void)arena;
	d->to = sevq_trim(text);
}

static void
read_account(struct sevq_delivery *d, struct sevq_str text, struct sevq_arena *arena)
{
	d->account_id = sevq_account_id_optional(arena, text);
}

static void
read_thread(struct sevq_delivery *d, struct sevq_str text, struct sevq_arena *arena)
{
	(void)arena;
	d->thread_id = sevq_trim(text);
}

/* A thread id that is a number: its integer part, as text. One beyond all doubles is none. */
static void
read_thread_number(struct sevq_delivery *d, struct sevq_str literal, struct sevq_arena *arena)
{
	double n = trunc(strtod(sevq_arena_dup(arena, literal).s, NULL));
	char text[SEVQ_NUMBER_BYTES];

	if (!isfinite(n))
		return;
	d->thread_id = sevq_arena_dup(arena, sevq_number_text(n, text));
	d->thread_is_number = true;
}

/* In the order in which they are written. */
static const struct {
	struct sevq_str name;
	void (*read)(struct sevq_delivery *d, struct sevq_str text, struct sevq_arena *arena);
	void (*read_number)(struct sevq_delivery *d, struct sevq_str literal, struct sevq_arena *arena); /* NULL: strings only */
} fields[] = {
	{ SEVQ_STR_INIT("channel"), read_channel, NULL },
	{ SEVQ_STR_INIT("to"), read_to, NULL },
	{ SEVQ_STR_INIT("accountId"), read_account, NULL },
	{ SEVQ_STR_INIT("threadId"), read_thread, read_thread_number },
};
#define FIELD_COUNT (sizeof fields / sizeof fields[0])

static void
read_member(const struct sevq_json *doc, size_t name, struct sevq_arena *arena, struct sevq_delivery *d)
{
	struct sevq_str text = sevq_json_string(doc, name, arena);
	uint8_t type = doc->tokens[name + 1].type;

	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (!sevq_str_eq(text, fields[i].name))
			continue;
		if (type == SEVQ_JSON_STRING)
			fields[i].read(d, sevq_json_string(doc, name + 1, arena), arena);
		else if (type == SEVQ_JSON_NUMBER && fields[i].read_number != NULL)
			fields[i].read_number(d, sevq_json_raw(doc, name + 1), arena);
	}
}

int
sevq_delivery_read(const struct sevq_json *doc, size_t token, struct sevq_arena *arena, struct sevq_delivery *ret,
		   struct sevq_error *err)
{
	struct sevq_delivery d = { 0 };

	if (doc->tokens[token].type == SEVQ_JSON_OBJECT) {
		for (size_t name = sevq_json_first(doc, token); name != 0; name = sevq_json_next(doc, token, name))
			read_member(doc, name, arena, &d);
	} else if (doc->tokens[token].type != SEVQ_JSON_NULL) {
		return sevq_fail_field(err, "/deliveryContext", "deliveryContext is not an object");
	}
	*ret = d;
	return 0;
}

/* ---- merging and writing ---- */

static bool
conflict(struct sevq_str a, struct sevq_str b)
{
	return a.len > 0 && b.len > 0 && !sevq_str_eq(a, b);
}

static struct sevq_str
either(struct sevq_str first, struct sevq_str second)
{
	return first.len > 0 ? first : second;
}

void
sevq_delivery_merge(const struct sevq_delivery *older, const struct sevq_delivery *newer, struct sevq_delivery *ret)
{
	bool other_account = conflict(older->account_id, newer->account_id);
	struct sevq_delivery d = *newer;

	if (!other_account)
		d.channel = either(newer->channel, older->channel);
	if (!other_account && !conflict(older->channel, newer->channel)) {
		d.to = either(newer->to, older->to);
		d.account_id = either(newer->account_id, older->account_id);
		d.thread_id = either(newer->thread_id, older->thread_id);
		d.thread_is_number = newer->thread_id.len > 0 ? newer->thread_is_number : older->thread_is_number;
	}
	*ret = d;
}

void
sevq_delivery_write(struct sevq_buf *out, const struct sevq_delivery *d)
{
	const struct sevq_str values[FIELD_COUNT] = { d->channel, d->to, d->account_id, d->thread_id };
	const char *before = "{";

	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (values[i].len == 0)
			continue;
		sevq_buf_adds(out, before);
		sevq_json_quote(out, fields[i].name);
		sevq_buf_adds(out, ":");
		if (i == FIELD_COUNT - 1 && d->thread_is_number)
			sevq_buf_add(out, values[i].s, values[i].len);
		else
			sevq_json_quote(out, values[i]);
		before = ",";
	}
	sevq_buf_adds(out, before[0] == '{' ? "{}" : "}");
}
