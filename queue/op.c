/* op.c - what every op shares. The calls themselves are in op_*.c. */
#include "queue/plan.h"

/* An error that is none says nothing, so its text is left as it is. */
void
sevq_op_start(struct sevq_op *op, const struct sevq_op_kind *kind)
{
	memset(op, 0, offsetof(struct sevq_op, error));
	memset(op + 1, 0, kind->bytes - sizeof *op);
	op->error.code = SEVQ_OK;
	op->kind = kind;
}

void
sevq_op_clear(struct sevq_op *op)
{
	sevq_arena_clear(&op->arena);
}
