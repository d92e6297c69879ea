/*
 * idempotency.c - answers as JSON lists of numbers.
 *
 * The first number is the version of the form: it says what the others mean. Versions are negative
 * and count down, because the first form had no version and began with a number that never was
 * negative. Whoever changes what any call keeps takes the next version, so that no answer is
 * misread.
 */
#include "queue/ops/idempotency.h"

#include "schema/json.h"

#define FORM "[-3" /* the version that every answer begins with */
/* Has no outcome of settled events in the state of an enqueue; else the same. */
#define FORM_BEFORE "[-2"

bool
idempotency_lookup(const struct idempotency *request, struct lookup *ret)
{
	if (request->key.s == NULL)
		return false;
	*ret = (struct lookup){ .kind = LOOKUP_KEY, .key = request->key };
	return true;
}

void
idempotency_found(struct idempotency *request, struct arena *arena, const struct store_key *key)
{
	request->seen = true;
	request->seen_request = key->request;
	request->seen_answer = arena_dup(arena, key->answer);
}

static int
used_for_another(struct error *err)
{
	return error_set(err, ERROR_IDEMPOTENCY_MISMATCH,
			 "the idempotency key was used for another request");
}

static bool
has_form(struct str answer, struct str form)
{
	return str_starts(answer, form) && answer.len > form.len &&
	       strchr(",]", answer.s[form.len]) != NULL;
}

static bool
is_ours(struct str answer)
{
	return has_form(answer, STR(FORM)) || has_form(answer, STR(FORM_BEFORE));
}

int
idempotency_recall(struct plan *plan, struct idempotency *request, struct str *answer,
		   struct error *err)
{
	request->replayed = false;
	if (request->key.s == NULL)
		return 0;
	const struct store_key *own = plan_find_key(plan, request->key);
	if (own == NULL && !request->seen)
		return 0;
	if ((own != NULL ? own->request : request->seen_request) != request->request)
		return used_for_another(err);
	*answer = own != NULL ? own->answer : request->seen_answer;
	if (!is_ours(*answer))
		return error_set(
		    err, ERROR_CONFLICT,
		    "this was done before; how it was answered, another version of sevq has kept");
	request->replayed = true;
	return 1;
}

/* The version and the numbers as JSON. */
struct str
idempotency_answer(struct arena *arena, const int64_t *numbers, size_t count)
{
	struct buf text = { 0 };

	buf_adds(&text, FORM);
	for (size_t i = 0; i < count; i++) {
		buf_adds(&text, ",");
		buf_add_int(&text, numbers[i]);
	}
	buf_adds(&text, "]");
	struct str answer = arena_dup(arena, (struct str){ text.data, text.len });
	buf_clear(&text);
	return answer;
}

/*
 * A batch request may carry the same key as one of its events. If both have the same request hash
 * one entry serves both; else the second is refused.
 */
int
idempotency_remember(struct plan *plan, struct op *op, const struct idempotency *request,
		     const int64_t *numbers, size_t count)
{
	if (request->key.s == NULL)
		return 0;
	const struct store_key *own = plan_find_key(plan, request->key);
	if (own != NULL)
		return own->request == request->request ? 0 : used_for_another(&op->error);
	struct store_key *key = arena_alloc(&op->arena, sizeof(*key));
	*key = (struct store_key){ request->key, request->request,
				   steady_proven_ms(&plan->state->steady),
				   idempotency_answer(&op->arena, numbers, count) };
	plan_add_key(plan, key);
	return 0;
}

size_t
idempotency_numbers(struct arena *arena, struct str answer, int64_t **numbers)
{
	struct json json = { 0 };
	size_t count = 0;

	if (json_scan(&json, answer.s, answer.len, NULL) == 0) {
		*numbers = arena_alloc(arena, json.count * sizeof(**numbers));
		size_t form = json_first(&json, 0);
		for (size_t t = json_next(&json, 0, form); t != 0; t = json_next(&json, 0, t))
			if (json_int64(&json, t, &(*numbers)[count]))
				count++;
	}
	json_clear(&json);
	return count;
}
