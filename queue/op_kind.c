/* op_kind.c - fills in a new op. */
#include "queue/op_kind.h"

/* Leaves the texts of the error, which is large: with ERROR_NONE nobody reads them. */
void
op_start(struct op *op, const struct op_kind *kind)
{
	memset(op, 0, offsetof(struct op, error));
	memset(op + 1, 0, kind->bytes - sizeof(*op));
	op->error.code = ERROR_NONE;
	op->kind = kind;
}
