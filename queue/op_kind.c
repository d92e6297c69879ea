/* op_kind.c - beginning an op. */
#include "queue/op_kind.h"

/* An error that is none says nothing, so its text is left as it is. */
void
op_start(struct op *op, const struct op_kind *kind)
{
	memset(op, 0, offsetof(struct op, error));
	memset(op + 1, 0, kind->bytes - sizeof(*op));
	op->error.code = ERROR_NONE;
	op->kind = kind;
}
