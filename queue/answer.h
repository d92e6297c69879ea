/*
 * answer.h - how much memory an answer needs.
 *
 * Here: sums of what its events take, known before any of them is read. Not here: how much all
 * answers may have (batch.c), the answers themselves. Private to queue/.
 *
 * An answer is held as events, and as it is sent: whole, or one slice after the other where it is
 * long (server/http/reply.h). As it is sent, an escaped byte has up to six, and a line break in a
 * prompt ten beside its own, so a byte of text has up to sixteen.
 */
#ifndef QUEUE_ANSWER_H
#define QUEUE_ANSWER_H

#include "queue/catalog/catalog.h"
#include "queue/op.h"

/* An answer with less needs no room: acknowledging and looking must work when all room is taken. */
#define ANSWER_SMALL_BYTES 4096

/* An event whose texts are known, or only its entry in the catalog. */
void answer_add_event(struct answer_size *size, const struct system_event *event);
void answer_add_entry(struct answer_size *size, const struct catalog *catalog,
		      const struct queue *queue, const struct entry *entry);
/* count events of an earlier answer, of which nothing is known but what their texts have at most.
 */
void answer_add_unknown(struct answer_size *size, size_t count, size_t text_bytes);
/* A list of so many ids. */
void answer_add_ids(struct answer_size *size, size_t count);
/* Other members that are sent, as JSON, with so many bytes of strings. */
void answer_add_other(struct answer_size *size, size_t string_bytes);

/* The memory that the answer needs at one time. */
size_t answer_bytes(const struct answer_size *size);
/* Whether it is not more than any answer may be, and needs no more than that. */
bool answer_fits(const struct answer_size *size, size_t room_bytes);

#endif
