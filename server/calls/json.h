/*
 * json.h - the words of the API as JSON text (DESIGN section 3).
 *
 * Here: writing events, sessions and decisions. Not here: reading (field), one call's answer (the call's file).
 */
#ifndef SEVQ_SERVER_CALLS_JSON_H
#define SEVQ_SERVER_CALLS_JSON_H

#include "queue/op.h"
#include "queue/policy/route.h"

/* Appends a string literal. */
#define SEVQ_ADD(out, literal) sevq_buf_add((out), (literal), sizeof(literal) - 1)

void sevq_json_add_text(struct sevq_buf *out, struct sevq_str text); /* NULL as null */
void sevq_json_add_time(struct sevq_buf *out, int64_t ms);           /* 0 as null */
void sevq_json_add_event(struct sevq_buf *out, const struct sevq_event *event);
void sevq_json_add_events(struct sevq_buf *out,
			  const struct sevq_event_list *list); /* an array, without those that are forgotten */
void sevq_json_add_block(struct sevq_buf *out, const struct sevq_event_list *list,
			 struct sevq_str zone); /* ,"block": the prompt's lines */
void sevq_json_add_entry(struct sevq_buf *out, const struct sevq_timeline_entry *entry);
void sevq_json_add_session(struct sevq_buf *out, const struct sevq_session *session);
void sevq_json_add_decision(struct sevq_buf *out, const struct sevq_decision *decision); /* steps where it has them */

#endif
