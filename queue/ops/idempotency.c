/*
 * idempotency.c - kept as numbers in JSON; those of the batch under way are found by a table.
 *
 * The first number is not the answer's: it says what the others mean. It is negative, since the first form of all had none, and
 * began with numbers that were not. Who changes what any call keeps gives it the next one down: an answer must not be misread.
 */
#include "queue/ops/idempotency.h"

#include "schema/json.h"

#define FORM "[-2" /* what an answer begins with */

static bool
same_key(const void *item, const void *key)
{
	return sevq_str_eq(((const struct sevq_store_key *)item)->key, *(const struct sevq_str *)key);
}

static const struct sevq_store_key *
find(const struct sevq_plan *plan, struct sevq_str key)
{
	return sevq_table_find(&plan->keys, sevq_text_hash(key), same_key, &key);
}

void
sevq_answers_forget(struct sevq_plan *plan, size_t count)
{
	struct sevq_store_batch *batch = &plan->batch;
	for (; batch->key_count > count; batch->key_count--) {
		struct sevq_str key = batch->keys[batch->key_count - 1].key;
		sevq_table_remove(&plan->keys, sevq_text_hash(key), find(plan, key));
	}
}

bool
sevq_answers_lookup(const struct sevq_idempotency *request, struct sevq_lookup *ret)
{
	if (request->key.s == NULL)
		return false;
	*ret = (struct sevq_lookup){ .kind = SEVQ_LOOKUP_KEY, .key = request->key };
	return true;
}

void
sevq_answers_found(struct sevq_idempotency *request, struct sevq_arena *arena, const struct sevq_store_key *key)
{
	request->seen = true;
	request->seen_request = key->request;
	request->seen_answer = sevq_arena_dup(arena, key->answer);
}

static int
used_for_another(struct sevq_error *err)
{
	return sevq_fail(err, SEVQ_IDEMPOTENCY_MISMATCH, "the idempotency key was used for another request");
}

static bool
is_ours(struct sevq_str answer)
{
	struct sevq_str form = SEVQ_STR(FORM);
	return sevq_str_starts(answer, form) && answer.len > form.len && strchr(",]", answer.s[form.len]) != NULL;
}

int
sevq_answers_recall(struct sevq_plan *plan, struct sevq_idempotency *request, struct sevq_str *answer, struct sevq_error *err)
{
	request->replayed = false;
	if (request->key.s == NULL)
		return 0;
	const struct sevq_store_key *own = find(plan, request->key);
	if (own == NULL && !request->seen)
		return 0;
	if ((own != NULL ? own->request : request->seen_request) != request->request)
		return used_for_another(err);
	*answer = own != NULL ? own->answer : request->seen_answer;
	if (!is_ours(*answer))
		return sevq_fail(err, SEVQ_CONFLICT, "this was done before; how it was answered, another version of sevq has kept");
	request->replayed = true;
	return 1;
}

/* The form and the numbers as JSON. */
static struct sevq_str
write_answer(struct sevq_arena *arena, const int64_t *numbers, size_t count)
{
	struct sevq_buf text = { 0 };
	sevq_buf_adds(&text, FORM);
	for (size_t i = 0; i < count; i++) {
		sevq_buf_adds(&text, ",");
		sevq_buf_add_int(&text, numbers[i]);
	}
	sevq_buf_adds(&text, "]");
	struct sevq_str answer = sevq_arena_dup(arena, (struct sevq_str){ text.data, text.len });
	sevq_buf_clear(&text);
	return answer;
}

/* The key of the whole request may be that of one of its events: then both are the same request, or one of them is refused. */
int
sevq_answers_remember(struct sevq_plan *plan, struct sevq_op *op, const struct sevq_idempotency *request, const int64_t *numbers,
		      size_t count)
{
	struct sevq_store_batch *batch = &plan->batch;
	if (request->key.s == NULL)
		return 0;
	const struct sevq_store_key *own = find(plan, request->key);
	if (own != NULL)
		return own->request == request->request ? 0 : used_for_another(&op->error);
	struct sevq_store_key *key = sevq_arena_alloc(&op->arena, sizeof *key);
	*key = (struct sevq_store_key){ request->key, request->request, plan->now_ms, write_answer(&op->arena, numbers, count) };
	batch->keys = sevq_grow(batch->keys, &batch->key_cap, batch->key_count + 1, sizeof *batch->keys);
	batch->keys[batch->key_count++] = *key;
	sevq_table_add(&plan->keys, sevq_text_hash(key->key), key);
	return 0;
}

size_t
sevq_answers_numbers(struct sevq_arena *arena, struct sevq_str answer, int64_t **numbers)
{
	struct sevq_json json = { 0 };
	size_t count = 0;
	if (sevq_json_scan(&json, answer.s, answer.len, NULL) == 0) {
		*numbers = sevq_arena_alloc(arena, json.count * sizeof **numbers);
		size_t form = sevq_json_first(&json, 0);
		for (size_t t = sevq_json_next(&json, 0, form); t != 0; t = sevq_json_next(&json, 0, t))
			if (sevq_json_int64(&json, t, &(*numbers)[count]))
				count++;
	}
	sevq_json_clear(&json);
	return count;
}
