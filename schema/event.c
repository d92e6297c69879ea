/*
 * event.c - names of the stored enums, ids, and the checks that admit a draft.
 */
#include "schema/event.h"

#include <assert.h>
#include <stddef.h>

#include "schema/number.h"

static const char *const rule_names[RULE_COUNT] = {
	[RULE_KEEP] = "keep",
	[RULE_MAIN_ALIAS] = "main-alias",
	[RULE_CRON_RUN] = "cron-run",
	[RULE_DIRECT_MAIN] = "direct-main",
	[RULE_ISOLATED_HEARTBEAT] = "isolated-heartbeat",
};

const char *
rule_name(enum rule rule)
{
	assert((int)rule >= 0 && rule < RULE_COUNT);
	return rule_names[rule];
}

const char *
wake_name(enum wake wake)
{
	return wake == WAKE_NOW ? "now" : "next-heartbeat";
}

static const char *const outcome_names[OUTCOME_COUNT] = {
	[OUTCOME_DRAINED] = "drained",     [OUTCOME_CONSUMED] = "consumed",
	[OUTCOME_WITHDRAWN] = "withdrawn", [OUTCOME_PURGED] = "purged",
	[OUTCOME_REPLACED] = "replaced",   [OUTCOME_EVICTED] = "evicted",
	[OUTCOME_ACKED] = "acked",         [OUTCOME_EXPIRED] = "expired",
	[OUTCOME_DEAD] = "dead",           [OUTCOME_LEASED] = "leased",
	[OUTCOME_EXTENDED] = "extended",   [OUTCOME_NACKED] = "nacked",
	[OUTCOME_RETURNED] = "returned",   [OUTCOME_LAPSED] = "lapsed",
	[OUTCOME_REQUEUED] = "requeued",   [OUTCOME_MOVED] = "moved",
	[OUTCOME_DISCARDED] = "discarded",
};

const char *
outcome_name(enum outcome_kind kind)
{
	assert(kind > 0 && kind < OUTCOME_COUNT);
	return outcome_names[kind];
}

const char *
event_state_name(const struct system_event *event)
{
	static const char *const names[] = { [EVENT_STATE_QUEUED] = "queued",
					     [EVENT_STATE_DELAYED] = "delayed",
					     [EVENT_STATE_LEASED] = "leased" };

	if (event->state == EVENT_STATE_SETTLED)
		return event->outcome != 0 ? outcome_name(event->outcome) : "settled";
	return names[event->state];
}

/* Where an event has its texts: all that must be copied with it. */
static const size_t text_offsets[] = {
	offsetof(struct system_event, session_key),
	offsetof(struct system_event, original_session_key),
	offsetof(struct system_event, text),
	offsetof(struct system_event, context_key),
	offsetof(struct system_event, source),
	offsetof(struct system_event, traceparent),
	offsetof(struct system_event, delivery.channel),
	offsetof(struct system_event, delivery.to),
	offsetof(struct system_event, delivery.account_id),
	offsetof(struct system_event, delivery.thread_id),
};

#define EVENT_TEXTS (sizeof(text_offsets) / sizeof(text_offsets[0]))

size_t
system_event_text_bytes(const struct system_event *event)
{
	size_t bytes = 0;

	for (size_t i = 0; i < EVENT_TEXTS; i++) {
		const struct str *text = (const void *)((const char *)event + text_offsets[i]);

		bytes += text->s != NULL ? text->len + 1 : 0;
	}
	return bytes;
}

void
system_event_pack(struct system_event *to, const struct system_event *from, char *texts)
{
	*to = *from;
	for (size_t i = 0; i < EVENT_TEXTS; i++) {
		struct str *text = (void *)((char *)to + text_offsets[i]);

		if (text->s == NULL)
			continue;
		memcpy(texts, text->s, text->len);
		texts[text->len] = '\0';
		text->s = texts;
		texts += text->len + 1;
	}
}

void
system_event_copy(struct system_event *to, const struct system_event *from, struct arena *arena)
{
	system_event_pack(to, from, arena_bytes(arena, system_event_text_bytes(from)));
}

/* A text field and its limit. */
struct limit {
	const char *pointer, *name;
	size_t offset; /* of its struct str */
	size_t bytes_max;
};

static int
check_limits(const void *fields, const struct limit *limits, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		const struct str *value = (const void *)((const char *)fields + limits[i].offset);

		if (value->len > limits[i].bytes_max)
			return error_set_field(err, limits[i].pointer, "%s is over %zu bytes",
					       limits[i].name, limits[i].bytes_max);
	}
	return 0;
}

static int
check_queue_key(const struct address *address, struct error *err)
{
	if (address->session_key.s != NULL || address->agent_id.s != NULL ||
	    address->channel.s != NULL || address->account_id.s != NULL)
		return error_set_field(err, "/queueKey",
				       "queueKey is not routed: give it without sessionKey, "
				       "agentId, channel and accountId");
	if (address->queue_key.len == 0)
		return error_set_field(err, "/queueKey", "queueKey is empty");
	return 0;
}

int
address_check(const struct address *address, struct error *err)
{
	static const struct limit limits[] = {
		{ "/sessionKey", "sessionKey", offsetof(struct address, session_key),
		  SESSION_KEY_BYTES_MAX },
		{ "/agentId", "agentId", offsetof(struct address, agent_id), AGENT_ID_BYTES_MAX },
		{ "/channel", "channel", offsetof(struct address, channel), CHANNEL_BYTES_MAX },
		{ "/accountId", "accountId", offsetof(struct address, account_id),
		  ACCOUNT_ID_BYTES_MAX },
		{ "/queueKey", "queueKey", offsetof(struct address, queue_key),
		  SESSION_KEY_BYTES_MAX },
	};

	if (address->queue_key.s != NULL && check_queue_key(address, err) < 0)
		return -1;
	return check_limits(address, limits, sizeof(limits) / sizeof(limits[0]), err);
}

int
address_check_optional(const struct address *address, struct error *err)
{
	bool named = address->session_key.s != NULL || address->agent_id.s != NULL;

	if (!named && address->queue_key.s == NULL && address->channel.s != NULL)
		return error_set_field(err, "/channel",
				       "channel goes with a sessionKey or agentId");
	if (!named && address->queue_key.s == NULL && address->account_id.s != NULL)
		return error_set_field(err, "/accountId",
				       "accountId goes with a sessionKey or agentId");
	return address_check(address, err);
}

int
queue_key_check(struct str queue_key, struct error *err)
{
	if (queue_key.len <= SESSION_KEY_BYTES_MAX)
		return 0;
	return error_set_field(err, "/sessionKey", "the queue key of sessionKey is over %d bytes",
			       SESSION_KEY_BYTES_MAX);
}

static int
check_own_limits(const struct draft *draft, struct error *err)
{
	static const struct limit limits[] = {
		{ "/text", "text", offsetof(struct draft, text), TEXT_BYTES_MAX },
		{ "/contextKey", "contextKey", offsetof(struct draft, context_key),
		  CONTEXT_KEY_BYTES_MAX },
		{ "/source", "source", offsetof(struct draft, source), SOURCE_BYTES_MAX },
		{ "/idempotencyKey", "idempotencyKey", offsetof(struct draft, idempotency.key),
		  IDEMPOTENCY_PREFIX_BYTES_MAX + IDEMPOTENCY_KEY_BYTES_MAX },
		{ "/traceparent", "traceparent", offsetof(struct draft, traceparent),
		  TRACEPARENT_BYTES_MAX },
		{ "/deliveryContext/channel", "channel", offsetof(struct draft, delivery.channel),
		  DELIVERY_FIELD_BYTES_MAX },
		{ "/deliveryContext/to", "to", offsetof(struct draft, delivery.to),
		  DELIVERY_FIELD_BYTES_MAX },
		{ "/deliveryContext/accountId", "accountId",
		  offsetof(struct draft, delivery.account_id), DELIVERY_FIELD_BYTES_MAX },
		{ "/deliveryContext/threadId", "threadId",
		  offsetof(struct draft, delivery.thread_id), DELIVERY_FIELD_BYTES_MAX },
	};

	return check_limits(draft, limits, sizeof(limits) / sizeof(limits[0]), err);
}

static struct str
blank_is_absent(struct str s)
{
	return s.len > 0 ? s : STR_NULL;
}

int
draft_check(struct draft *draft, struct arena *arena, struct error *err)
{
	if (address_check(&draft->address, err) < 0)
		return -1;
	draft->text = text_trim(draft->text);
	draft->source = blank_is_absent(text_trim(draft->source));
	draft->traceparent = blank_is_absent(text_trim(draft->traceparent));
	draft->context_key = blank_is_absent(text_trim(draft->context_key));
	if (check_own_limits(draft, err) < 0)
		return -1;
	if (draft->text.len == 0)
		return error_set_field(err, "/text", "text is blank");
	if (draft->replace && draft->context_key.s == NULL)
		return error_set_field(err, "/replace", "replace needs a contextKey");

	if (draft->delay_ms < 0 || draft->delay_ms > DELAY_MS_MAX)
		return error_set_field(err, "/delayMs", "delayMs is not between 0 and %lld",
				       DELAY_MS_MAX);
	if (draft->ttl_ms < 0 || draft->ttl_ms > TTL_MS_MAX)
		return error_set_field(err, "/ttlMs", "ttlMs is not between 1 and %lld",
				       TTL_MS_MAX);

	/* Lower-casing can make a key longer, so its limit is checked again. */
	if (draft->context_key.s == NULL)
		return 0;
	draft->context_key = text_lower(arena, draft->context_key);
	return check_own_limits(draft, err);
}

bool
event_id_parse(struct str s, int64_t *ret)
{
	return s.len > 0 && s.s[0] != '0' && number_parse(s, 1, INT64_MAX, ret) == NUMBER_PARSED;
}

struct str
idempotency_key_make(struct arena *arena, char kind, struct str scope, struct str key)
{
	char *made = arena_bytes(arena, IDEMPOTENCY_PREFIX_BYTES_MAX + key.len);
	size_t len = 0;

	assert(scope.len == 0 || scope.len == IDEMPOTENCY_SCOPE_BYTES);
	made[len++] = kind;
	if (scope.len > 0) {
		made[len++] = '@';
		memcpy(made + len, scope.s, scope.len);
		len += scope.len;
	}
	made[len++] = ':';
	memcpy(made + len, key.s, key.len);
	return (struct str){ made, len + key.len };
}

uint64_t
idempotency_owner(struct arena *arena, struct str made, struct str queue_key)
{
	bool scoped = made.len > 1 + IDEMPOTENCY_SCOPE_BYTES && made.s[1] == '@';
	size_t scope_len = scoped ? IDEMPOTENCY_SCOPE_BYTES : 0;
	char *both = arena_bytes(arena, scope_len + queue_key.len);

	memcpy(both, made.s + 2, scope_len);
	if (queue_key.len > 0)
		memcpy(both + scope_len, queue_key.s, queue_key.len);
	return text_hash((struct str){ both, scope_len + queue_key.len });
}
