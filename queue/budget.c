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

/*
 * Whether the op can be put off although it was admitted: its work was not known, or nothing is
 * lost of what was looked up for it.
 */
static bool
can_wait(const struct op *op)
{
	return op->work == 0 || op->kind->look != NULL || op->kind->appends;
}

static bool
has_room(const struct budget *budget, size_t work)
{
	return budget->kept == 0 || budget->kept + work <= TURN_LARGE_WORK;
}

/*
 * Once a plan has found no room, ops that are known to be large wait. After much work on such plans
 * ops of unknown work wait as well, unless their kind tells beforehand which are large.
 */
bool
budget_is_used_up(const struct budget *budget, const struct op *op)
{
	if (op->work == 0)
		return budget->small > TURN_PLANNED_WORK ||
		       (op->kind->work == NULL && budget->in_vain > TURN_IN_VAIN_WORK);
	return op->work > WORK_SMALL_MAX && can_wait(op) &&
	       (budget->in_vain > 0 || !has_room(budget, op->work));
}

bool
budget_keep(struct budget *budget, struct op *op, size_t work)
{
	size_t counted = op->work > least_work(op) ? op->work : least_work(op);

	if (work < counted || !can_wait(op))
		work = counted;
	if (work <= WORK_SMALL_MAX) {
		budget->small += work - counted;
		return true;
	}
	if (can_wait(op) && !has_room(budget, work)) {
		op->work = work;
		budget->small += work / 8; /* what planning it in vain took */
		budget->in_vain += work - op->answer.text / WORK_TEXT_BYTES;
		return false;
	}
	budget->kept += work;
	budget->large += op->work > WORK_SMALL_MAX ? work - op->work : work;
	return true;
}
