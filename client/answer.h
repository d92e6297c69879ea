/*
 * answer.h - from the JSON of an answer to the structs of sevq.h.
 *
 * Here: one constant shape for each answer, and the function that reads an answer by its shape.
 * Members that a shape does not list are ignored, so a newer server may send more; members that it
 * requires must be there and have their type.
 * Not here: I/O, and what the calls do with the answers.
 * sevq_free frees an answer with everything it points to.
 */
#ifndef SEVQ_CLIENT_ANSWER_H
#define SEVQ_CLIENT_ANSWER_H

#include "client/error.h"

struct sevq_shape; /* which member of the JSON object goes to which field of the struct */

extern const struct sevq_shape sevq_shape_receipt;   /* struct sevq_receipt */
extern const struct sevq_shape sevq_shape_receipts;  /* struct sevq_receipts */
extern const struct sevq_shape sevq_shape_event;     /* struct sevq_event, in a member "event" */
extern const struct sevq_shape sevq_shape_story;     /* struct sevq_story */
extern const struct sevq_shape sevq_shape_taken;     /* struct sevq_events, of drain and consume */
extern const struct sevq_shape sevq_shape_peeked;    /* struct sevq_events, of peek */
extern const struct sevq_shape sevq_shape_purged;    /* struct sevq_purged */
extern const struct sevq_shape sevq_shape_decision;  /* struct sevq_decision */
extern const struct sevq_shape sevq_shape_sessions;  /* struct sevq_sessions */
extern const struct sevq_shape sevq_shape_lease;     /* struct sevq_lease */
extern const struct sevq_shape sevq_shape_acked;     /* struct sevq_lease_change, of an ack */
extern const struct sevq_shape sevq_shape_nacked;    /* of a nack */
extern const struct sevq_shape sevq_shape_extended;  /* of an extension */
extern const struct sevq_shape sevq_shape_ready;     /* struct sevq_readiness */
extern const struct sevq_shape sevq_shape_wakeup;    /* struct sevq_wakeup, less its id and json */
extern const struct sevq_shape sevq_shape_history;   /* struct sevq_history */
extern const struct sevq_shape sevq_shape_requeued;  /* struct sevq_requeued */
extern const struct sevq_shape sevq_shape_discarded; /* struct sevq_discarded */
extern const struct sevq_shape sevq_shape_askers;    /* struct sevq_askers */
extern const struct sevq_shape sevq_shape_leases;    /* struct sevq_leases */
extern const struct sevq_shape sevq_shape_rekeyed;   /* struct sevq_rekeyed */
extern const struct sevq_shape sevq_shape_text;      /* char *: the JSON object itself */

/* Returns the struct that shape describes, or NULL on SEVQ_BAD_ANSWER and SEVQ_NO_MEMORY. */
void *sevq_answer_read(const struct sevq_shape *shape, const char *text, size_t len,
		       struct sevq_error *error);

/*
 * Reads a problem (RFC 9457) into error: its code, and as the message the fields that it calls
 * wrong, else its detail. SEVQ_BAD_ANSWER if the text is no problem.
 */
enum sevq_code sevq_answer_problem(const char *text, size_t len, struct sevq_error *error);

#endif
