/*
 * json.c - events, sessions and decisions as JSON.
 */
#include "server/calls/json.h"

#include <stdlib.h>

#include "schema/prompt.h"

void
sevq_json_add_text(struct sevq_buf *out, struct sevq_str text)
{
	if (text.s != NULL)
		sevq_json_quote(out, text);
	else
		SEVQ_ADD(out, "null");
}

void
sevq_json_add_time(struct sevq_buf *out, int64_t ms)
{
	if (ms > 0)
		sevq_buf_add_int(out, ms);
	else
		SEVQ_ADD(out, "null");
}

/* Without a delay, an event is available from its arrival on. */
void
sevq_json_add_event(struct sevq_buf *out, const struct sevq_event *event)
{
	SEVQ_ADD(out, "{\"id\":\"");
	sevq_buf_add_int(out, event->id);
	SEVQ_ADD(out, "\",\"sessionKey\":");
	sevq_json_quote(out, event->session_key);
	SEVQ_ADD(out, ",\"originalSessionKey\":");
	sevq_json_quote(out, event->original_session_key);
	SEVQ_ADD(out, ",\"rule\":\"");
	sevq_buf_adds(out, sevq_rule_name(event->rule));
	SEVQ_ADD(out, "\",\"text\":");
	sevq_json_quote(out, event->text);
	SEVQ_ADD(out, ",\"ts\":");
	sevq_buf_add_int(out, event->ts_ms);
	SEVQ_ADD(out, ",\"contextKey\":");
	sevq_json_add_text(out, event->context_key);
	if (!sevq_delivery_none(&event->delivery)) {
		SEVQ_ADD(out, ",\"deliveryContext\":");
		sevq_delivery_write(out, &event->delivery);
	}
	SEVQ_ADD(out, ",\"source\":");
	sevq_json_add_text(out, event->source);
	SEVQ_ADD(out, ",\"wake\":\"");
	sevq_buf_adds(out, sevq_wake_name(event->wake));
	SEVQ_ADD(out, "\",\"attempts\":");
	sevq_buf_add_int(out, event->attempts);
	SEVQ_ADD(out, ",\"availableAt\":");
	sevq_buf_add_int(out, event->available_at_ms > 0 ? event->available_at_ms : event->ts_ms);
	SEVQ_ADD(out, ",\"expiresAt\":");
	sevq_json_add_time(out, event->expires_at_ms);
	SEVQ_ADD(out, ",\"traceparent\":");
	sevq_json_add_text(out, event->traceparent);
	SEVQ_ADD(out, ",\"state\":\"");
	sevq_buf_adds(out, sevq_event_state(event));
	SEVQ_ADD(out, "\"}");
}

void
sevq_json_add_events(struct sevq_buf *out, const struct sevq_event_list *list)
{
	const char *before = "";

	SEVQ_ADD(out, "[");
	for (size_t i = 0; i < list->count; i++) {
		if (list->events[i].id == 0)
			continue; /* of an answer that is repeated after the event was forgotten */
		sevq_buf_adds(out, before);
		sevq_json_add_event(out, &list->events[i]);
		before = ",";
	}
	SEVQ_ADD(out, "]");
}

void
sevq_json_add_block(struct sevq_buf *out, const struct sevq_event_list *list, struct sevq_str zone)
{
	struct sevq_prompt_event *events = sevq_alloc(list->count * sizeof *events + 1);
	struct sevq_buf text = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		if (list->events[i].id != 0)
			events[count++] =
			    (struct sevq_prompt_event){ list->events[i].text, list->events[i].context_key, list->events[i].ts_ms };
	SEVQ_ADD(out, ",\"block\":");
	if (sevq_prompt_write(&text, events, count, zone))
		sevq_json_quote(out, (struct sevq_str){ text.data, text.len });
	else
		SEVQ_ADD(out, "null");
	sevq_buf_clear(&text);
	free(events);
}

void
sevq_json_add_entry(struct sevq_buf *out, const struct sevq_timeline_entry *entry)
{
	sevq_buf_addf(out, "{\"ts\":%lld,\"what\":\"%s\"", (long long)entry->ts_ms, sevq_outcome_name(entry->kind));
	if (entry->lease > 0)
		sevq_buf_addf(out, ",\"leaseId\":\"%lld\"", (long long)entry->lease);
	if (entry->until_ms > 0)
		sevq_buf_addf(out, ",\"until\":%lld", (long long)entry->until_ms);
	if (entry->detail.s != NULL) {
		SEVQ_ADD(out, ",\"detail\":");
		sevq_json_quote(out, entry->detail);
	}
	SEVQ_ADD(out, "}");
}

static void
add_rekeyed_from(struct sevq_buf *out, const struct sevq_session *session)
{
	SEVQ_ADD(out, ",\"rekeyedFrom\":[");
	for (size_t i = 0; i < session->rekeyed_from_count; i++) {
		sevq_buf_adds(out, i > 0 ? ",{\"key\":" : "{\"key\":");
		sevq_json_quote(out, session->rekeyed_from[i].key);
		sevq_buf_addf(out, ",\"count\":%zu}", session->rekeyed_from[i].count);
	}
	SEVQ_ADD(out, "]");
}

void
sevq_json_add_session(struct sevq_buf *out, const struct sevq_session *session)
{
	SEVQ_ADD(out, "{\"sessionKey\":");
	sevq_json_quote(out, session->session_key);
	SEVQ_ADD(out, ",\"agentId\":");
	sevq_json_add_text(out, session->agent_id);
	sevq_buf_addf(out, ",\"depth\":%zu,\"leased\":%zu,\"delayed\":%zu,\"oldestTs\":%lld,\"newestTs\":%lld", session->depth,
		      session->leased, session->delayed, (long long)session->oldest_ts_ms, (long long)session->newest_ts_ms);
	SEVQ_ADD(out, ",\"lastContextKey\":");
	sevq_json_add_text(out, session->last_context_key);
	if (!sevq_delivery_none(&session->delivery)) {
		SEVQ_ADD(out, ",\"deliveryContext\":");
		sevq_delivery_write(out, &session->delivery);
	}
	add_rekeyed_from(out, session);
	sevq_buf_addf(out, ",\"waiters\":%zu}", session->waiters);
}

void
sevq_json_add_decision(struct sevq_buf *out, const struct sevq_decision *decision)
{
	SEVQ_ADD(out, "{\"sessionKey\":");
	sevq_json_quote(out, decision->queue_key);
	sevq_buf_addf(out, ",\"rule\":\"%s\",\"rekeyed\":%s,\"owner\":", sevq_rule_name(decision->rule),
		      decision->rekeyed ? "true" : "false");
	sevq_json_quote(out, decision->owner);
	for (size_t i = 0; i < decision->step_count; i++) {
		const struct sevq_route_step *step = &decision->steps[i];

		sevq_buf_addf(out, "%s{\"rule\":\"%s\",\"applied\":%s,\"why\":", i > 0 ? "," : ",\"steps\":[",
			      sevq_rule_name(step->rule), step->applied ? "true" : "false");
		sevq_json_quote(out, step->why);
		SEVQ_ADD(out, "}");
	}
	sevq_buf_adds(out, decision->step_count > 0 ? "]}" : "}");
}
