/* budget.c - two sums, and what still fits. */
#include "queue/budget.h"

bool
budget_admit(struct budget *budget, const struct op *op)
{
	if (op->work <= WORK_SMALL_MAX) {
		if (budget->small + WORK_OP > TURN_SMALL_WORK)
			return false;
		budget->small += op->work > WORK_OP ? op->work : WORK_OP;
		return true;
	}
	if (budget->large > 0 && budget->large + op->work > TURN_LARGE_WORK)
		return false;
	budget->large += op->work;
	return true;
}

bool
budget_keep(struct budget *budget, struct op *op, size_t work)
{
	if (op->work > 0) /* it was counted as what it is */
		return true;
	if (work <= WORK_SMALL_MAX) {
		budget->small += work > WORK_OP ? work - WORK_OP : 0;
		return true;
	}
	if (budget->large > 0 && budget->large + work > TURN_LARGE_WORK) {
		op->work = work;
		budget->small += work / 8; /* what planning it in vain took */
		return false;
	}
	budget->large += work;
	return true;
}
