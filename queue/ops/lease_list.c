/*
 * lease_list.c - the leases that hold events: who holds what, and until when.
 *
 * Leases are looked at in slices, in order of their hashes, over as many turns as it takes; a
 * cursor is the hash at which the next page begins. A lease that is there all the time is on one
 * page.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "queue/budget.h"
#include "queue/ops/id_list.h"
#include "schema/number.h"

/* Slots of the table of leases. */
#define FIRST_SLOTS 256
#define FIRST_WORK 40
#define SLICE_SLOTS 16384
#define SLICE_WORK 2000

/* A page ends early when its leases have had more events than these; its first is always told. */
#define PAGE_EVENTS_MAX 10000
#define EVENTS_A_WORK 4 /* events of leases that are looked up for a microsecond */

/* A page that is being made. */
struct lease_search {
	struct lease_list_op *list;
	struct table_scan scan;
	/* Those that match, in order of their hashes. A lease may be over when the page is made. */
	struct lease_found {
		uint64_t hash;
		int64_t id;
	} * found;
	size_t count, cap;
	size_t looks; /* at leases */
};

static int
begin(struct lease_list_op *list)
{
	struct lease_search *search = arena_alloc(&list->op.arena, sizeof(*search));
	int64_t from = 0;

	if (list->address.queue_key.s != NULL &&
	    (address_check(&list->address, &list->op.error) < 0 ||
	     caller_check(list->op.caller, list->address.queue_key, &list->op.error) < 0))
		return -1;
	if (list->cursor.s != NULL &&
	    number_parse(list->cursor, INT64_MIN, INT64_MAX, &from) != NUMBER_PARSED)
		return error_set_field(&list->op.error, "cursor",
				       "not a cursor of an earlier page");
	search->list = list;
	search->scan.from = (uint64_t)from;
	list->search = search;
	return 0;
}

static bool
matches(const struct lease_list_op *list, const struct lease *lease)
{
	return lease->live > 0 && caller_may_touch(list->op.caller, lease->queue->session.key) &&
	       (list->address.queue_key.s == NULL ||
		str_eq(lease->queue->session.key, list->address.queue_key)) &&
	       (list->consumer.s == NULL ||
		(lease->consumer != NULL && str_eq(lease->consumer->name, list->consumer)));
}

static void
add_found(struct lease_search *search, int64_t id)
{
	if (search->count == search->cap) {
		size_t cap = 2 * search->cap + 64;
		struct lease_found *more =
		    arena_alloc(&search->list->op.arena, cap * sizeof(*more));

		if (search->count > 0)
			memcpy(more, search->found, search->count * sizeof(*more));
		search->found = more;
		search->cap = cap;
	}
	search->found[search->count++] = (struct lease_found){ keyed_hash_id(id).bits, id };
}

static void
look_at(void *arg, void *item)
{
	struct lease_search *search = arg;
	const struct lease *lease = item;

	search->looks++;
	if (matches(search->list, lease))
		add_found(search, lease->id);
}

/* Whether the page has all that it may have. */
static bool
is_complete(const struct lease_search *search)
{
	return search->scan.over || search->count > search->list->limit;
}

/* Looks at the next leases. */
static void
look_at_some(const struct queue_state *state, struct lease_search *search, size_t slots)
{
	const struct lease_list_op *list = search->list;
	int64_t id;

	if (is_complete(search))
		return;
	if (list->lease.s == NULL) {
		table_scan(&state->catalog.leases.by_id, &search->scan, slots, look_at, search);
		return;
	}
	const struct lease *one =
	    event_id_parse(list->lease, &id) ? catalog_lease(&state->catalog, id) : NULL;
	if (one != NULL && matches(list, one))
		add_found(search, id);
	search->scan.over = true;
}

/* The first end of an event that the lease holds; the wall time is that of the present clocks. */
static int64_t
first_end_ms(const struct plan *plan, struct id_list held)
{
	int64_t end_ms = INT64_MAX;

	for (size_t i = 0; i < held.count; i++) {
		int64_t ms = catalog_extra(&plan->state->catalog, held.ids[i]).lease_end_boot_ms;

		end_ms = ms < end_ms ? ms : end_ms;
	}
	return plan->state->now_ms + (end_ms - plan->state->boot_ms);
}

static struct lease_listed
describe(const struct plan *plan, struct lease_list_op *list, const struct lease *lease)
{
	struct arena *arena = &list->op.arena, scratch = { 0 };
	bool whole = list->lease.s != NULL;
	struct id_list held = id_list_held(&plan->state->catalog, lease, whole ? arena : &scratch);
	struct lease_listed listed = { .id = lease->id,
				       .until_ms = first_end_ms(plan, held),
				       .session_key = arena_dup(arena, lease->queue->session.key),
				       .exclusive = lease->exclusive,
				       .ids = whole ? held.ids : NULL,
				       .count = held.count };

	if (lease->consumer != NULL)
		listed.consumer = arena_dup(arena, lease->consumer->name);
	arena_clear(&scratch);
	return listed;
}

static int
by_hash(const void *a, const void *b)
{
	uint64_t x = ((const struct lease_found *)a)->hash,
		 y = ((const struct lease_found *)b)->hash;

	return (x > y) - (x < y);
}

static int
by_end(const void *a, const void *b)
{
	const struct lease_listed *x = a, *y = b;

	return x->until_ms != y->until_ms
		   ? (x->until_ms > y->until_ms) - (x->until_ms < y->until_ms)
		   : (x->id > y->id) - (x->id < y->id);
}

/* Adds the lease to the page. False: the page ends before it. */
static bool
add_lease(struct plan *plan, struct lease_list_op *list, const struct lease *lease, size_t *events)
{
	struct answer_size size = list->op.answer;

	if (list->count > 0 && *events + lease->count > PAGE_EVENTS_MAX)
		return false;
	*events += lease->count;
	plan->walked += lease->count;
	answer_add_other(&size, lease->queue->session.key.len + CONSUMER_BYTES_MAX +
				    (list->lease.s != NULL ? 24 * lease->live : 0));
	if (list->count > 0 && !answer_fits(&size, plan->answer_room))
		return false;
	list->op.answer = size;
	list->leases[list->count++] = describe(plan, list, lease);
	return true;
}

static void
end_page(struct lease_list_op *list, uint64_t from)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRId64, (int64_t)from);

	list->next_cursor = arena_dup(&list->op.arena, (struct str){ digits, (size_t)len });
}

static void
make_page(struct plan *plan, struct lease_list_op *list)
{
	struct lease_search *search = list->search;
	size_t events = 0, next = 0;

	if (search->count > 1)
		qsort(search->found, search->count, sizeof(*search->found), by_hash);
	list->leases = arena_alloc(&list->op.arena, list->limit * sizeof(*list->leases));
	for (; next < search->count && list->count < list->limit; next++) {
		const struct lease *lease =
		    catalog_lease(&plan->state->catalog, search->found[next].id);

		if (lease != NULL && !add_lease(plan, list, lease, &events))
			break;
	}
	if (next < search->count)
		end_page(list, search->found[next].hash);
	else if (!search->scan.over)
		end_page(list, search->scan.from);
	if (list->count > 1)
		qsort(list->leases, list->count, sizeof(*list->leases), by_end);
}

static void
look_for_leases(struct plan *plan, struct op *op)
{
	struct lease_list_op *list = (struct lease_list_op *)op;
	bool begins = list->search == NULL;

	if (begins && begin(list) < 0)
		return;
	size_t looks = list->search->looks;
	look_at_some(plan->state, list->search, begins ? FIRST_SLOTS : SLICE_SLOTS);
	plan->state->stats.walked += list->search->looks - looks;
}

/* What a page of the leases that were found takes at most, in microseconds. */
static size_t
page_work(const struct plan *plan, const struct lease_search *search)
{
	size_t events = 0;

	for (size_t i = 0; i < search->count && events <= PAGE_EVENTS_MAX; i++) {
		const struct lease *lease =
		    catalog_lease(&plan->state->catalog, search->found[i].id);

		events += lease != NULL ? lease->count : 0;
	}
	return (events < PAGE_EVENTS_MAX ? events : PAGE_EVENTS_MAX) / EVENTS_A_WORK;
}

/* A large page waits for a turn that has room for it: it is not made in vain. */
static int
plan_lease_list(struct plan *plan, struct op *op)
{
	struct lease_list_op *list = (struct lease_list_op *)op;

	if (!is_complete(list->search)) {
		op->work = SLICE_WORK;
		return PLAN_LATER;
	}
	size_t work = page_work(plan, list->search);
	if (work > WORK_SMALL_MAX && op->work < work) {
		op->work = work;
		return PLAN_LATER;
	}
	make_page(plan, list);
	if (list->lease.s != NULL && list->count == 0)
		return error_set(&op->error, ERROR_NOT_FOUND,
				 "the lease holds no events, or never was");
	return PLAN_DONE;
}

void
lease_list_op_init(struct lease_list_op *op)
{
	static const struct op_kind kind = { OP_KIND(lease_list_op, leases),
					     .least_work = FIRST_WORK, .look = look_for_leases,
					     .plan = plan_lease_list };

	op_start(&op->op, &kind);
	op->limit = 1;
}
