/*
 * event.c - names of the stored words, ids, and what a draft must be before it is admitted.
 */
#include "schema/event.h"

#include <assert.h>
#include <stddef.h>

static const char *const rule_names[SEVQ_RULE_COUNT] = {
	[SEVQ_RULE_KEEP] = "keep",
	[SEVQ_RULE_MAIN_ALIAS] = "main-alias",
	[SEVQ_RULE_CRON_RUN] = "cron-run",
	[SEVQ_RULE_DIRECT_MAIN] = "direct-main",
};

const char *
sevq_rule_name(enum sevq_rule rule)
{
	assert((int)rule >= 0 && rule < SEVQ_RULE_COUNT);
	return rule_names[rule];
}

const char *
sevq_wake_name(enum sevq_wake wake)
{
	return wake == SEVQ_WAKE_NOW ? "now" : "next-heartbeat";
}

static const char *const outcome_names[SEVQ_OUTCOME_COUNT] = {
	[SEVQ_OUTCOME_DRAINED] = "drained",   [SEVQ_OUTCOME_CONSUMED] = "consumed", [SEVQ_OUTCOME_WITHDRAWN] = "withdrawn",
	[SEVQ_OUTCOME_PURGED] = "purged",     [SEVQ_OUTCOME_REPLACED] = "replaced", [SEVQ_OUTCOME_EVICTED] = "evicted",
	[SEVQ_OUTCOME_ACKED] = "acked",       [SEVQ_OUTCOME_EXPIRED] = "expired",   [SEVQ_OUTCOME_DEAD] = "dead",
	[SEVQ_OUTCOME_LEASED] = "leased",     [SEVQ_OUTCOME_EXTENDED] = "extended", [SEVQ_OUTCOME_NACKED] = "nacked",
	[SEVQ_OUTCOME_RETURNED] = "returned", [SEVQ_OUTCOME_LAPSED] = "lapsed",     [SEVQ_OUTCOME_REQUEUED] = "requeued",
};

const char *
sevq_outcome_name(enum sevq_outcome_kind kind)
{
	assert(kind > 0 && kind < SEVQ_OUTCOME_COUNT);
	return outcome_names[kind];
}

const char *
sevq_event_state(const struct sevq_event *event)
{
	static const char *const names[] = {
		[SEVQ_STATE_QUEUED] = "queued", [SEVQ_STATE_DELAYED] = "delayed", [SEVQ_STATE_LEASED] = "leased"
	};
	return event->state == SEVQ_STATE_SETTLED ? sevq_outcome_name(event->outcome) : names[event->state];
}

/* The texts of an event, wherever it goes. */
static const size_t text_offsets[] = {
	offsetof(struct sevq_event, session_key),
	offsetof(struct sevq_event, original_session_key),
	offsetof(struct sevq_event, text),
	offsetof(struct sevq_event, context_key),
	offsetof(struct sevq_event, source),
	offsetof(struct sevq_event, traceparent),
	offsetof(struct sevq_event, delivery.channel),
	offsetof(struct sevq_event, delivery.to),
	offsetof(struct sevq_event, delivery.account_id),
	offsetof(struct sevq_event, delivery.thread_id),
};

#define EVENT_TEXTS (sizeof text_offsets / sizeof text_offsets[0])

size_t
sevq_event_text_bytes(const struct sevq_event *event)
{
	size_t bytes = 0;

	for (size_t i = 0; i < EVENT_TEXTS; i++) {
		const struct sevq_str *text = (const void *)((const char *)event + text_offsets[i]);

		bytes += text->s != NULL ? text->len + 1 : 0;
	}
	return bytes;
}

void
sevq_event_pack(struct sevq_event *to, const struct sevq_event *from, char *texts)
{
	*to = *from;
	for (size_t i = 0; i < EVENT_TEXTS; i++) {
		struct sevq_str *text = (void *)((char *)to + text_offsets[i]);

		if (text->s == NULL)
			continue;
		memcpy(texts, text->s, text->len);
		texts[text->len] = '\0';
		text->s = texts;
		texts += text->len + 1;
	}
}

void
sevq_event_copy(struct sevq_event *to, const struct sevq_event *from, struct sevq_arena *arena)
{
	sevq_event_pack(to, from, sevq_arena_bytes(arena, sevq_event_text_bytes(from)));
}

/* A field and the most bytes it may have. */
struct limit {
	const char *pointer, *name;
	size_t offset; /* of its struct sevq_str */
	size_t bytes_max;
};

static int
check_limits(const void *fields, const struct limit *limits, size_t count, struct sevq_error *err)
{
	for (size_t i = 0; i < count; i++) {
		const struct sevq_str *value = (const void *)((const char *)fields + limits[i].offset);

		if (value->len > limits[i].bytes_max)
			return sevq_fail_field(err, limits[i].pointer, "%s is over %zu bytes", limits[i].name, limits[i].bytes_max);
	}
	return 0;
}

int
sevq_address_check(const struct sevq_address *address, struct sevq_error *err)
{
	static const struct limit limits[] = {
		{ "/sessionKey", "sessionKey", offsetof(struct sevq_address, session_key), SEVQ_SESSION_KEY_BYTES_MAX },
		{ "/agentId", "agentId", offsetof(struct sevq_address, agent_id), SEVQ_AGENT_ID_BYTES_MAX },
		{ "/channel", "channel", offsetof(struct sevq_address, channel), SEVQ_CHANNEL_BYTES_MAX },
		{ "/accountId", "accountId", offsetof(struct sevq_address, account_id), SEVQ_ACCOUNT_ID_BYTES_MAX },
	};

	return check_limits(address, limits, sizeof limits / sizeof limits[0], err);
}

int
sevq_queue_key_check(struct sevq_str queue_key, struct sevq_error *err)
{
	if (queue_key.len <= SEVQ_SESSION_KEY_BYTES_MAX)
		return 0;
	return sevq_fail_field(err, "/sessionKey", "the queue key of sessionKey is over %d bytes", SEVQ_SESSION_KEY_BYTES_MAX);
}

static int
check_own_limits(const struct sevq_draft *draft, struct sevq_error *err)
{
	static const struct limit limits[] = {
		{ "/text", "text", offsetof(struct sevq_draft, text), SEVQ_TEXT_BYTES_MAX },
		{ "/contextKey", "contextKey", offsetof(struct sevq_draft, context_key), SEVQ_CONTEXT_KEY_BYTES_MAX },
		{ "/source", "source", offsetof(struct sevq_draft, source), SEVQ_SOURCE_BYTES_MAX },
		{ "/idempotencyKey", "idempotencyKey", offsetof(struct sevq_draft, idempotency.key),
		  SEVQ_IDEMPOTENCY_KIND_BYTES + SEVQ_IDEMPOTENCY_KEY_BYTES_MAX },
		{ "/traceparent", "traceparent", offsetof(struct sevq_draft, traceparent), SEVQ_TRACEPARENT_BYTES_MAX },
		{ "/deliveryContext/channel", "channel", offsetof(struct sevq_draft, delivery.channel),
		  SEVQ_DELIVERY_FIELD_BYTES_MAX },
		{ "/deliveryContext/to", "to", offsetof(struct sevq_draft, delivery.to), SEVQ_DELIVERY_FIELD_BYTES_MAX },
		{ "/deliveryContext/accountId", "accountId", offsetof(struct sevq_draft, delivery.account_id),
		  SEVQ_DELIVERY_FIELD_BYTES_MAX },
		{ "/deliveryContext/threadId", "threadId", offsetof(struct sevq_draft, delivery.thread_id),
		  SEVQ_DELIVERY_FIELD_BYTES_MAX },
	};

	return check_limits(draft, limits, sizeof limits / sizeof limits[0], err);
}

static struct sevq_str
blank_is_absent(struct sevq_str s)
{
	return s.len > 0 ? s : SEVQ_STR_NULL;
}

int
sevq_draft_check(struct sevq_draft *draft, struct sevq_arena *arena, struct sevq_error *err)
{
	if (sevq_address_check(&draft->address, err) < 0)
		return -1;
	draft->text = sevq_trim(draft->text);
	draft->source = blank_is_absent(sevq_trim(draft->source));
	draft->traceparent = blank_is_absent(sevq_trim(draft->traceparent));
	draft->context_key = blank_is_absent(sevq_trim(draft->context_key));
	if (check_own_limits(draft, err) < 0)
		return -1;
	if (draft->text.len == 0)
		return sevq_fail_field(err, "/text", "text is blank");
	if (draft->replace && draft->context_key.s == NULL)
		return sevq_fail_field(err, "/replace", "replace needs a contextKey");

	if (draft->delay_ms < 0 || draft->delay_ms > SEVQ_DELAY_MS_MAX)
		return sevq_fail_field(err, "/delayMs", "delayMs is not between 0 and %lld", SEVQ_DELAY_MS_MAX);
	if (draft->ttl_ms < 0 || draft->ttl_ms > SEVQ_TTL_MS_MAX)
		return sevq_fail_field(err, "/ttlMs", "ttlMs is not between 1 and %lld", SEVQ_TTL_MS_MAX);

	/* Lower-casing can make a key longer, so the limit is looked at again. */
	if (draft->context_key.s == NULL)
		return 0;
	draft->context_key = sevq_lower(arena, draft->context_key);
	return check_own_limits(draft, err);
}

bool
sevq_event_id_parse(struct sevq_str s, int64_t *ret)
{
	int64_t id = 0;

	if (s.len == 0 || s.s[0] == '0')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.s[i] < '0' || s.s[i] > '9')
			return false;
		if (__builtin_mul_overflow(id, 10, &id) || __builtin_add_overflow(id, s.s[i] - '0', &id))
			return false;
	}
	*ret = id;
	return true;
}
