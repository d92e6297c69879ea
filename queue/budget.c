/* budget.c - two sums, and what still fits. */
#include "queue/budget.h"

#include "queue/op_kind.h"

static size_t
least_work(const struct op *op)
{
	return op->kind->least_work > WORK_OP ? op->kind->least_work : WORK_OP;
}

bool
budget_admit(struct budget *budget, const struct op *op)
{
	if (op->work <= WORK_SMALL_MAX) {
		size_t work = op->work > least_work(op) ? op->work : least_work(op);

		if (budget->small + work > TURN_SMALL_WORK)
			return false;
		budget->small += work;
		return true;
	}
	if (budget->large > 0 && budget->large + op->work > TURN_LARGE_WORK)
		return false;
	budget->large += op->work;
	return true;
}

bool
budget_is_heavy(const struct budget *budget)
{
	return budget->large > 0 && budget->small + budget->large > TURN_HEAVY_WORK;
}

bool
budget_is_used_up(const struct budget *budget, const struct op *op)
{
	return op->work == 0 && budget->small > TURN_PLANNED_WORK;
}

bool
budget_keep(struct budget *budget, struct op *op, size_t work)
{
	if (op->work > 0) /* it was counted as what it is */
		return true;
	if (work <= WORK_SMALL_MAX) {
		budget->small += work > least_work(op) ? work - least_work(op) : 0;
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
