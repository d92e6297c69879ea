/*
 * json.h - the words of the API as JSON text (DESIGN section 3).
 *
 * Here: writing events, sessions and decisions. Not here: reading (field), one call's answer (the
 * call's file).
 */
#ifndef SERVER_CALLS_JSON_H
#define SERVER_CALLS_JSON_H

#include "queue/op.h"
#include "queue/policy/route.h"
#include "queue/strands.h"
#include "server/http/reply.h"

/* Appends a string literal. */
#define BUF_ADD_LITERAL(out, literal) buf_add((out), (literal), sizeof(literal) - 1)

void json_add_text(struct buf *out, struct str text); /* NULL as null */
void json_add_time(struct buf *out, int64_t ms);      /* 0 as null */
void json_add_scopes(struct buf *out, unsigned set);  /* an array of words */
void json_add_strands(struct buf *out, struct strands strands);
void json_add_event(struct buf *out, const struct system_event *event);
/*
 * Parts of answers (reply.h): the items of an array, without events that are forgotten; the
 * prompt's lines, as ,"block":; the ids of the events without lines, as ,"leftOut":.
 */
bool json_add_events(struct buf *out, const struct system_event_list *list, struct reply_at *at);
bool json_add_block(struct buf *out, const struct system_event_list *list, struct str zone,
		    struct reply_at *at);
bool json_add_left_out(struct buf *out, const struct system_event_list *list, struct reply_at *at);
void json_add_entry(struct buf *out, const struct timeline_entry *entry);
/* Everything but the closing brace: what only the server knows follows. */
void json_add_session(struct buf *out, const struct session *session);
/* steps where it has them */
void json_add_decision(struct buf *out, const struct decision *decision);

#endif
