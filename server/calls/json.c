/*
 * json.c - events, sessions and decisions as JSON.
 */
#include "server/calls/json.h"

#include "schema/prompt.h"
#include "schema/zone.h"
#include "server/http/token.h"

void
json_add_text(struct buf *out, struct str text)
{
	if (text.s != NULL)
		json_quote(out, text);
	else
		BUF_ADD_LITERAL(out, "null");
}

void
json_add_time(struct buf *out, int64_t ms)
{
	if (ms > 0)
		buf_add_int(out, ms);
	else
		BUF_ADD_LITERAL(out, "null");
}

void
json_add_scopes(struct buf *out, unsigned set)
{
	const char *names[SCOPES];
	size_t count;

	scopes_names(set, names, &count);
	BUF_ADD_LITERAL(out, "[");
	for (size_t i = 0; i < count; i++)
		buf_addf(out, "%s\"%s\"", i > 0 ? "," : "", names[i]);
	BUF_ADD_LITERAL(out, "]");
}

static void
add_delivery(struct buf *out, const struct delivery *delivery)
{
	BUF_ADD_LITERAL(out, ",\"deliveryContext\":");
	if (delivery_none(delivery))
		BUF_ADD_LITERAL(out, "null");
	else
		delivery_write(out, delivery);
}

void
json_add_event(struct buf *out, const struct system_event *event)
{
	size_t ts, ts_len;

	BUF_ADD_LITERAL(out, "{\"id\":\"");
	buf_add_int(out, event->id);
	BUF_ADD_LITERAL(out, "\",\"sessionKey\":");
	json_quote(out, event->session_key);
	BUF_ADD_LITERAL(out, ",\"originalSessionKey\":");
	json_quote(out, event->original_session_key);
	BUF_ADD_LITERAL(out, ",\"rule\":\"");
	buf_adds(out, rule_name(event->rule));
	BUF_ADD_LITERAL(out, "\",\"text\":");
	json_quote(out, event->text);
	BUF_ADD_LITERAL(out, ",\"ts\":");
	ts = out->len;
	buf_add_int(out, event->ts_ms);
	ts_len = out->len - ts;
	BUF_ADD_LITERAL(out, ",\"contextKey\":");
	json_add_text(out, event->context_key);
	add_delivery(out, &event->delivery);
	BUF_ADD_LITERAL(out, ",\"source\":");
	json_add_text(out, event->source);
	BUF_ADD_LITERAL(out, ",\"wake\":\"");
	buf_adds(out, wake_name(event->wake));
	BUF_ADD_LITERAL(out, "\",\"attempts\":");
	buf_add_int(out, event->attempts);
	BUF_ADD_LITERAL(out, ",\"availableAt\":");
	if (event->available_at_ms > 0)
		buf_add_int(out, event->available_at_ms);
	else { /* from its arrival on: most often, so the digits of ts are copied */
		buf_reserve(out, ts_len);
		buf_add(out, out->data + ts, ts_len);
	}
	BUF_ADD_LITERAL(out, ",\"expiresAt\":");
	json_add_time(out, event->expires_at_ms);
	BUF_ADD_LITERAL(out, ",\"traceparent\":");
	json_add_text(out, event->traceparent);
	BUF_ADD_LITERAL(out, ",\"state\":\"");
	buf_adds(out, event_state_name(event));
	BUF_ADD_LITERAL(out, "\"}");
}

/* Whether the list has the event: a repeated answer may have been given before it was forgotten. */
static bool
is_there(const struct system_event *event)
{
	return event->id != 0;
}

bool
json_add_events(struct buf *out, const struct system_event_list *list, struct reply_at *at)
{
	for (; at->item < list->count && !reply_is_full(out); at->item++) {
		const struct system_event *event = &list->events[at->item];

		if (!is_there(event))
			continue;
		if (at->any)
			BUF_ADD_LITERAL(out, ",");
		json_add_event(out, event);
		at->any = true;
	}
	return at->item == list->count;
}

static bool
has_lines(const struct system_event *event)
{
	return is_there(event) && prompt_has_lines(event->prompt);
}

static bool
any_has_lines(const struct system_event_list *list)
{
	size_t i = 0;

	while (i < list->count && !has_lines(&list->events[i]))
		i++;
	return i < list->count;
}

bool
json_add_block(struct buf *out, const struct system_event_list *list, struct str zone_name,
	       struct reply_at *at)
{
	struct arena arena = { 0 };
	struct zone zone;

	if (at->item == 0)
		buf_adds(out, any_has_lines(list) ? ",\"block\":\"" : ",\"block\":null");
	zone_enter(&zone, &arena, zone_name);
	for (; at->item < list->count && !reply_is_full(out); at->item++) {
		const struct system_event *event = &list->events[at->item];

		if (!has_lines(event))
			continue;
		prompt_write(out, &zone, event->text, event->context_key, event->ts_ms, !at->any);
		at->any = true;
	}
	zone_leave(&zone);
	arena_clear(&arena);
	if (at->item < list->count)
		return false;
	if (at->any)
		BUF_ADD_LITERAL(out, "\"");
	return true;
}

bool
json_add_left_out(struct buf *out, const struct system_event_list *list, struct reply_at *at)
{
	if (at->item == 0)
		BUF_ADD_LITERAL(out, ",\"leftOut\":[");
	for (; at->item < list->count && !reply_is_full(out); at->item++) {
		const struct system_event *event = &list->events[at->item];

		if (!is_there(event) || has_lines(event))
			continue;
		buf_adds(out, at->any ? ",\"" : "\"");
		buf_add_int(out, event->id);
		BUF_ADD_LITERAL(out, "\"");
		at->any = true;
	}
	if (at->item < list->count)
		return false;
	BUF_ADD_LITERAL(out, "]");
	return true;
}

void
json_add_entry(struct buf *out, const struct timeline_entry *entry)
{
	buf_addf(out, "{\"ts\":%lld,\"what\":\"%s\"", (long long)entry->ts_ms,
		 outcome_name(entry->kind));
	if (entry->lease > 0)
		buf_addf(out, ",\"leaseId\":\"%lld\"", (long long)entry->lease);
	if (entry->until_ms > 0)
		buf_addf(out, ",\"until\":%lld", (long long)entry->until_ms);
	if (entry->times > 1)
		buf_addf(out, ",\"times\":%u", (unsigned)entry->times);
	if (entry->kind == OUTCOME_MOVED) {
		BUF_ADD_LITERAL(out, ",\"from\":");
		json_quote(out, entry->from);
		BUF_ADD_LITERAL(out, ",\"to\":");
		json_quote(out, entry->to);
	}
	if (entry->detail.s != NULL) {
		buf_adds(out, entry->kind == OUTCOME_MOVED ? ",\"rule\":" : ",\"detail\":");
		json_quote(out, entry->detail);
	}
	BUF_ADD_LITERAL(out, "}");
}

static void
add_rekeyed_from(struct buf *out, const struct session *session)
{
	BUF_ADD_LITERAL(out, ",\"rekeyedFrom\":[");
	for (size_t i = 0; i < session->rekeyed_from_count; i++) {
		buf_adds(out, i > 0 ? ",{\"key\":" : "{\"key\":");
		json_quote(out, session->rekeyed_from[i].key);
		buf_addf(out, ",\"count\":%zu}", session->rekeyed_from[i].count);
	}
	buf_addf(out, "],\"rekeyedFromMore\":%s", session->rekeyed_from_more ? "true" : "false");
}

static void
add_problems(struct buf *out, unsigned problems)
{
	static const char *const names[PROBLEM_COUNT] = { [PROBLEM_STRANDED] = "stranded",
							  [PROBLEM_FULL] = "full",
							  [PROBLEM_UNATTENDED] = "unattended",
							  [PROBLEM_DEAD] = "dead" };
	const char *before = "";

	BUF_ADD_LITERAL(out, ",\"problems\":[");
	for (int i = 0; i < PROBLEM_COUNT; i++) {
		if ((problems & SESSION_PROBLEM(i)) == 0)
			continue;
		buf_addf(out, "%s\"%s\"", before, names[i]);
		before = ",";
	}
	BUF_ADD_LITERAL(out, "]");
}

void
json_add_session(struct buf *out, const struct session *session)
{
	BUF_ADD_LITERAL(out, "{\"sessionKey\":");
	json_quote(out, session->session_key);
	BUF_ADD_LITERAL(out, ",\"agentId\":");
	json_add_text(out, session->agent_id);
	buf_addf(out, ",\"depth\":%zu,\"ready\":%zu,\"leased\":%zu,\"delayed\":%zu,\"oldestTs\":",
		 session->depth, session->ready, session->leased, session->delayed);
	json_add_time(out, session->oldest_ts_ms);
	BUF_ADD_LITERAL(out, ",\"newestTs\":");
	json_add_time(out, session->newest_ts_ms);
	BUF_ADD_LITERAL(out, ",\"readySinceTs\":");
	json_add_time(out, session->ready_since_ts_ms);
	BUF_ADD_LITERAL(out, ",\"lastContextKey\":");
	json_add_text(out, session->last_context_key);
	add_delivery(out, &session->delivery);
	add_rekeyed_from(out, session);
	buf_addf(out, ",\"waiters\":%zu,\"deadLetters\":%zu,\"routesTo\":", session->waiters,
		 session->dead_letters);
	json_add_text(out, session->routes_to);
	add_problems(out, session->problems);
}

void
json_add_strands(struct buf *out, struct strands strands)
{
	buf_addf(out, "{\"sessions\":%zu,\"events\":%zu,\"complete\":%s}", strands.sessions,
		 strands.events, strands.complete ? "true" : "false");
}

void
json_add_decision(struct buf *out, const struct decision *decision)
{
	BUF_ADD_LITERAL(out, "{\"sessionKey\":");
	json_quote(out, decision->queue_key);
	buf_addf(out, ",\"rule\":\"%s\",\"rekeyed\":%s,\"owner\":", rule_name(decision->rule),
		 decision->rekeyed ? "true" : "false");
	json_quote(out, decision->owner);
	for (size_t i = 0; i < decision->step_count; i++) {
		const struct route_step *step = &decision->steps[i];

		buf_addf(out,
			 "%s{\"rule\":\"%s\",\"applied\":%s,\"why\":", i > 0 ? "," : ",\"steps\":[",
			 rule_name(step->rule), step->applied ? "true" : "false");
		json_quote(out, step->why);
		BUF_ADD_LITERAL(out, "}");
	}
	buf_adds(out, decision->step_count > 0 ? "]}" : "}");
}
