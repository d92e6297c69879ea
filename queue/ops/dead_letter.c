/* dead_letter.c - looks dead letters up, and for those that the batch under way has ended. */
#include "queue/ops/dead_letter.h"

#include <stdlib.h>

#include "queue/ops/id_list.h"

bool
dead_letter_lookup(const struct str *ids, size_t count, size_t index, struct lookup *ret)
{
	*ret = (struct lookup){ .kind = LOOKUP_DEAD };
	if (index >= count)
		return false;
	if (!event_id_parse(ids[index], &ret->id))
		ret->kind = LOOKUP_NONE;
	return true;
}

bool
dead_letter_is_over(const struct plan *plan, int64_t id)
{
	for (size_t i = 0; i < plan->records.outcome_count; i++) {
		const struct store_outcome *outcome = &plan->records.outcomes[i];

		if (outcome_ends_dead_letters(outcome->kind) &&
		    bsearch(&id, outcome->ids, outcome->count, sizeof(id), id_compare) != NULL)
			return true;
	}
	return false;
}
