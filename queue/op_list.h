/*
 * op_list.h - ops in the order they came. Private to queue/.
 *
 * A list owns no op; an op is in one list at a time, linked by op->next.
 */
#ifndef QUEUE_OP_LIST_H
#define QUEUE_OP_LIST_H

#include "queue/op.h"

/* Invariant: end points at the pointer that ends the list, so a list must not be copied. */
struct op_list {
	struct op *first, **end;
	size_t count;
};

void op_list_init(struct op_list *list);
void op_list_add(struct op_list *list, struct op *op); /* at the end */
struct op *op_list_take(struct op_list *list);         /* the first; the list is not empty */
/* Moves all of from, in order, to the end of to. */
void op_list_move(struct op_list *from, struct op_list *to);
/* Moves all of front, in order, before the first of the list. */
void op_list_put_first(struct op_list *list, struct op_list *front);

#endif
