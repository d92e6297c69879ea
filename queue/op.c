/* op.c - what every op shares. The calls themselves are in op_enqueue.c, op_take.c and op_look.c. */
#include "queue/op.h"

void
sevq_op_clear(struct sevq_op *op)
{
	sevq_arena_clear(&op->arena);
}
