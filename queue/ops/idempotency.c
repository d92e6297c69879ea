/*
 * idempotency.c - answers as JSON lists: the version of the form, the queue key, numbers.
 *
 * The version says what the others mean. Versions are negative
 * and count down, because the first form had no version and began with a number that never was
 * negative. Whoever changes what any call keeps takes the next version, so that no answer is
 * misread.
 */
#include "queue/ops/idempotency.h"

#include "schema/json.h"
#include "schema/json_text.h"

/*
 * The versions that can be read, the newest first. Before -4 there was no queue key; in -2 the
 * state of an enqueued event had no outcome.
 */
static const char *const forms[] = { "[-4", "[-3", "[-2" };

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
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
		if (has_form(answer, str_of(forms[i])))
			return true;
	return false;
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

struct str
idempotency_answer(struct arena *arena, const struct kept_answer *kept)
{
	struct buf text = { 0 };

	buf_adds(&text, forms[0]);
	if (kept->queue_key.s != NULL) {
		buf_adds(&text, ",");
		json_quote(&text, kept->queue_key);
	}
	for (size_t i = 0; i < kept->count; i++) {
		buf_adds(&text, ",");
		buf_add_int(&text, kept->numbers[i]);
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
		     struct str queue_key, const struct kept_answer *kept)
{
	if (request->key.s == NULL)
		return 0;
	const struct store_key *own = plan_find_key(plan, request->key);
	if (own != NULL)
		return own->request == request->request ? 0 : used_for_another(&op->error);
	struct store_key *key = arena_alloc(&op->arena, sizeof(*key));
	*key = (struct store_key){ request->key, request->request,
				   steady_proven_ms(&plan->state->steady),
				   idempotency_answer(&op->arena, kept),
				   idempotency_owner(&op->arena, request->key, queue_key) };
	plan_add_key(plan, key);
	return 0;
}

struct kept_answer
idempotency_read(struct arena *arena, struct str answer)
{
	struct kept_answer kept = { 0 };
	struct json json = { 0 };

	if (json_scan(&json, answer.s, answer.len, NULL) == 0 &&
	    json.tokens[0].type == JSON_ARRAY) {
		int64_t *numbers = arena_alloc(arena, json.count * sizeof(*numbers));
		size_t form = json_first(&json, 0);

		for (size_t t = json_next(&json, 0, form); t != 0; t = json_next(&json, 0, t))
			if (json.tokens[t].type == JSON_STRING)
				kept.queue_key = arena_dup(arena, json_string(&json, t, arena));
			else if (json_int64(&json, t, &numbers[kept.count]))
				kept.count++;
		kept.numbers = numbers;
	}
	json_clear(&json);
	return kept;
}
