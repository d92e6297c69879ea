/*
 * submit.h - a request's op, on its way to the engine and back.
 *
 * Here: the memory of the op, which each connection has once and uses again for every request, and
 * handing it to the engine.
 * Not here: what an op does (queue/op.h), what it is answered with (each call's file).
 */
#ifndef SERVER_CALLS_SUBMIT_H
#define SERVER_CALLS_SUBMIT_H

#include "queue/op.h"
#include "server/http/request.h"

struct work {
	request_handler *answer;     /* writes the answer of an op that succeeded */
	request_handler *fail;       /* of one that failed; NULL: its error as a problem */
	struct selection *selection; /* dead_letters.c: of these; in the request's arena */
	struct str zone;             /* json_add_block: the time zone; in the request's arena */
	union {
		struct op op;
		struct enqueue_op enqueue;
		struct drain_op drain;
		struct consume_op consume;
		struct peek_op peek;
		struct find_op find;
		struct withdraw_op withdraw;
		struct purge_op purge;
		struct sessions_op sessions;
		struct census_op census;
		struct lease_take_op lease_take;
		struct lease_change_op lease_change;
		struct lease_list_op lease_list;
		struct lease_release_op lease_release;
		struct wait_op wait;
		struct history_op history;
		struct requeue_op requeue;
		struct discard_op discard;
		struct rekey_op rekey;
	};
};

/*
 * Hands the request's op to the engine. When it comes back, answer writes the answer, or submits
 * another op; fail (NULL: the plain problem) writes that of a failure.
 */
void submit_op(struct request *request, request_handler *answer, request_handler *fail);

/*
 * The same for a call whose answer is not much longer than the request, and ends it: where the
 * request is short, the answer is made while the disk is at work on what it says.
 */
void submit_op_prepared(struct request *request, request_handler *answer);

/*
 * Cancels an op that is parked in the engine, and answers the request with what it has. False: it
 * is not parked (now).
 */
bool submit_cancel_wait(struct request *request);

/* Keeps the time zone in force in request->work->zone, for an answer that a reload may meet. */
void submit_keep_zone(struct request *request);

void submit_clear(struct request *request); /* frees what the op holds */
/* The memory of the op's answer, and of the request that it refers to. */
size_t submit_held_bytes(const struct request *request);

#endif
