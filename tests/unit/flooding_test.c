/*
 * flooding_test.c - keys that were chosen to meet in one place of a table cost it as little as any
 * others. Steps are counted, not time.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "queue/plan.h"
#include "queue/sqlite/session_rows.h"
#include "server/http/peers.h"

#define ITEMS 700 /* of 1,024 slots */
#define STEPS 6   /* for each item on average; 2.5 are expected with 3 of 4 slots in use */
#define GOLDEN UINT64_C(0x9E3779B97F4A7C15) /* what multiplicative hashes multiply by */

/* --- how many steps it takes to find each item once --- */

static size_t
table_steps(const struct table *table)
{
	const struct table_part *part = &table->whole;
	size_t steps = 0, mask = part->slots - 1;

	for (size_t i = 0; i < part->slots; i++)
		if (part->slot[i].item != NULL)
			steps += ((i - (part->slot[i].hash.bits >> part->shift)) & mask) + 1;
	return steps;
}

static size_t
peers_steps(const struct peers *peers)
{
	size_t steps = 0;

	for (size_t i = 0; i < PEERS_BUCKETS; i++) {
		size_t depth = 0;

		for (const struct peer *peer = peers->buckets[i]; peer != NULL; peer = peer->next)
			steps += ++depth;
	}
	return steps;
}

/* --- keys --- */

/* Different texts whose SHA-256 agrees in the bits that number the slots. */
static struct str *
choose_texts(void)
{
	static char texts[ITEMS][24];
	static struct str chosen[ITEMS];

	for (size_t n = 0, i = 0; n < ITEMS; i++) {
		int len = snprintf(texts[n], sizeof(texts[n]), "key:%zu", i);

		chosen[n] = (struct str){ texts[n], (size_t)len };
		n += text_hash(chosen[n]) % 1024 == 0;
	}
	return chosen;
}

/* The number that GOLDEN takes to this product. */
static uint64_t
ungolden(uint64_t product)
{
	uint64_t inverse = GOLDEN; /* right in the lowest 3 bits; each round doubles that */

	for (int round = 0; round < 5; round++)
		inverse *= 2 - GOLDEN * inverse;
	return product * inverse;
}

/* Ids that leave all but some of their bits alone, or all but some bits of their products. */
static int64_t
choose_id(size_t way, size_t i)
{
	uint64_t n = i + 1, shift = way / 2 * 6;

	return (int64_t)((way % 2 == 0 ? n << shift : ungolden(n << shift)) & INT64_MAX);
}
#define WAYS 18

/* --- tables by text --- */

static struct catalog catalog;
static struct plan plan;
static struct waiting waiting;
static struct leases leases;
static struct store_key keys[ITEMS];
static struct op ops[ITEMS];

static const struct table *
add_queue(size_t i, struct str key)
{
	(void)i;
	catalog_find_or_add(&catalog, key);
	return &catalog.index;
}

static const struct table *
add_tag(size_t i, struct str key)
{
	(void)i;
	tags_intern(&catalog.tags, key, STR_NULL, &(struct delivery){ 0 });
	return &catalog.tags.index;
}

static const struct table *
add_idempotency_key(size_t i, struct str key)
{
	keys[i].key = key;
	plan_add_key(&plan, &keys[i]);
	return &plan.keys;
}

static const struct table *
add_consumer(size_t i, struct str key)
{
	leases_add(&leases, &(struct lease){ .id = (int64_t)i }, key);
	return &leases.consumers;
}

static const struct table *
add_waiter(size_t i, struct str key)
{
	ops[i].queue_key = key;
	waiting_add(&waiting, &ops[i]);
	return &waiting.by_key;
}

/* Adds all keys; each time the table has grown, and at the end, it must be well spread. */
static void
chosen_texts_are_spread(void **state)
{
	static const struct table *(*const add[])(size_t i, struct str key) = {
		add_queue, add_tag, add_idempotency_key, add_consumer, add_waiter
	};
	const struct str *chosen = choose_texts();

	(void)state;
	catalog_init(&catalog);
	for (size_t t = 0; t < sizeof(add) / sizeof(add[0]); t++) {
		const struct table *table = NULL;

		for (size_t i = 0, slots = 0; i < ITEMS; i++, slots = table->slots) {
			table = add[t](i, chosen[i]);
			if (table->slots != slots && i > 100)
				assert_in_range(table_steps(table), i, i * STEPS);
		}
		assert_int_equal(table->count, ITEMS);
		assert_in_range(table_steps(table), ITEMS, ITEMS * STEPS);
	}
	journal_rollback(&catalog, 0);
	catalog_clear(&catalog);
	plan_reset(&plan);
	plan_clear(&plan);
	leases_clear(&leases);
	waiting_clear(&waiting);
}

/* --- tables by id --- */

static struct sqlite_store store;

static const struct table *
add_extra(int64_t id)
{
	leases_put_extra(&leases, NULL, &(struct extra){ .id = id, .expires_boot_ms = 1 });
	return &leases.extras;
}

static const struct table *
add_lease(int64_t id)
{
	leases_add(&leases, &(struct lease){ .id = id }, STR_NULL);
	return &leases.by_id;
}

static const struct table *
add_session_row(int64_t id)
{
	session_rows_add_event(&store, id);
	return &store.session_rows;
}

static void
chosen_ids_are_spread(void **state)
{
	static const struct table *(*const add[])(int64_t id) = { add_extra, add_lease,
								  add_session_row };

	(void)state;
	for (size_t way = 0; way < WAYS; way++) {
		for (size_t t = 0; t < sizeof(add) / sizeof(add[0]); t++) {
			const struct table *table = NULL;

			for (size_t i = 0; i < ITEMS; i++)
				table = add[t](choose_id(way, i));
			assert_int_equal(table->count, ITEMS);
			assert_in_range(table_steps(table), ITEMS, ITEMS * STEPS);
		}
		leases_clear(&leases);
		session_rows_clear(&store);
	}
}

/* --- addresses --- */

static void
chosen_addresses_are_spread(void **state)
{
	struct peer *entered[ITEMS];

	(void)state;
	for (size_t way = 0; way < WAYS; way++) {
		struct peers peers = { 0 };

		for (size_t i = 0; i < ITEMS; i++) {
			struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
			int64_t prefix = choose_id(way, i);

			memcpy(&address.sin6_addr, &prefix, sizeof(prefix));
			entered[i] = peers_enter(&peers, (struct sockaddr *)&address);
		}
		assert_in_range(peers_steps(&peers), ITEMS, ITEMS * STEPS);
		for (size_t i = 0; i < ITEMS; i++)
			peers_leave(&peers, entered[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chosen_texts_are_spread),
		cmocka_unit_test(chosen_ids_are_spread),
		cmocka_unit_test(chosen_addresses_are_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
