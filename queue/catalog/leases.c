/* leases.c - a table of extras, a table of leases, and a stock of freed extras. */
#include "queue/catalog/leases.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "schema/mem.h"
#include "schema/text.h"

#ifdef __SANITIZE_ADDRESS__ /* reuse would hide a use after free from it */
#define SPARE_EXTRAS_MAX 0
#else
#define SPARE_EXTRAS_MAX 4096
#endif

static size_t
lease_bytes(const struct lease *lease)
{
	return sizeof(*lease) + lease->count * sizeof(*lease->ids);
}

void
leases_clear(struct leases *leases)
{
	void *item;

	for (size_t at = 0; (item = table_each(&leases->extras, &at)) != NULL;)
		free(item);
	for (size_t at = 0; (item = table_each(&leases->deliveries, &at)) != NULL;)
		free(item);
	for (size_t at = 0; (item = table_each(&leases->by_id, &at)) != NULL;)
		free(item);
	while (leases->spare_count > 0)
		free(leases->spare[--leases->spare_count]);
	free(leases->spare);
	for (size_t at = 0; (item = table_each(&leases->consumers, &at)) != NULL;)
		free(item);
	table_clear(&leases->extras);
	table_clear(&leases->deliveries);
	table_clear(&leases->by_id);
	table_clear(&leases->consumers);
	free(leases->touched);
	*leases = (struct leases){ 0 };
}

size_t
leases_bytes(const struct leases *leases)
{
	return (leases->extras.count + leases->spare_count) * sizeof(struct extra) +
	       table_bytes(&leases->extras) + leases->deliveries.count * sizeof(struct deliveries) +
	       table_bytes(&leases->deliveries) + leases->lease_bytes +
	       table_bytes(&leases->by_id) + table_bytes(&leases->consumers);
}

/* --- extras --- */

static bool
same_extra(const void *item, const void *id)
{
	return ((const struct extra *)item)->id == *(const int64_t *)id;
}

struct extra *
leases_stored_extra(const struct leases *leases, int64_t id)
{
	return table_find(&leases->extras, keyed_hash_id(id), same_extra, &id);
}

struct extra
leases_extra(const struct leases *leases, int64_t id)
{
	const struct extra *stored = leases_stored_extra(leases, id);

	return stored != NULL ? *stored : (struct extra){ .id = id };
}

static struct extra *
new_extra(struct leases *leases)
{
	return leases->spare_count > 0 ? leases->spare[--leases->spare_count]
				       : mem_alloc(sizeof(struct extra));
}

static void
free_extra(struct leases *leases, struct extra *extra)
{
	if (leases->spare_count == SPARE_EXTRAS_MAX) {
		free(extra);
		return;
	}
	leases->spare = mem_grow(leases->spare, &leases->spare_cap, leases->spare_count + 1,
				 sizeof(*leases->spare));
	leases->spare[leases->spare_count++] = extra;
}

static void
store_extra(struct leases *leases, struct extra *stored, const struct extra *extra)
{
	bool needed =
	    extra->lease != NULL || extra->available_boot_ms > 0 || extra->expires_boot_ms > 0;

	if (stored != NULL && !needed) {
		table_remove(&leases->extras, keyed_hash_id(extra->id), stored);
		free_extra(leases, stored);
	} else if (stored == NULL && needed) {
		stored = new_extra(leases);
		*stored = *extra;
		table_add(&leases->extras, keyed_hash_id(extra->id), stored);
	} else if (needed) {
		*stored = *extra;
	}
}

void
leases_put_extra(struct leases *leases, struct extra *stored, const struct extra *extra)
{
	if (stored != NULL && stored->lease != NULL) {
		leases_touch(leases, stored->lease);
		stored->lease->live--;
	}
	if (extra->lease != NULL) {
		leases_touch(leases, extra->lease);
		extra->lease->live++;
	}
	store_extra(leases, stored, extra);
}

/* --- deliveries --- */

static bool
same_deliveries(const void *item, const void *id)
{
	return ((const struct deliveries *)item)->id == *(const int64_t *)id;
}

static struct deliveries *
find_deliveries(const struct leases *leases, int64_t id)
{
	return table_find(&leases->deliveries, keyed_hash_id(id), same_deliveries, &id);
}

struct deliveries
leases_deliveries(const struct leases *leases, int64_t id)
{
	const struct deliveries *stored =
	    leases->deliveries.count > 0 ? find_deliveries(leases, id) : NULL;

	return stored != NULL ? *stored : (struct deliveries){ .id = id };
}

bool
leases_has_deliveries(const struct leases *leases, int64_t id)
{
	return find_deliveries(leases, id) != NULL;
}

void
leases_put_deliveries(struct leases *leases, const struct deliveries *deliveries)
{
	struct deliveries *stored = find_deliveries(leases, deliveries->id);
	bool needed = deliveries->given_back > 0 || deliveries->extensions > 0;

	if (stored == NULL && needed) {
		stored = mem_alloc(sizeof(*stored));
		table_add(&leases->deliveries, keyed_hash_id(deliveries->id), stored);
	}
	if (needed) {
		*stored = *deliveries;
	} else if (stored != NULL) {
		table_remove(&leases->deliveries, keyed_hash_id(deliveries->id), stored);
		free(stored);
	}
}

/* --- leases --- */

static bool
same_lease(const void *item, const void *id)
{
	return ((const struct lease *)item)->id == *(const int64_t *)id;
}

struct lease *
leases_find(const struct leases *leases, int64_t id)
{
	return table_find(&leases->by_id, keyed_hash_id(id), same_lease, &id);
}

static bool
same_consumer(const void *item, const void *name)
{
	return str_eq(((const struct consumer *)item)->name, *(const struct str *)name);
}

const struct consumer *
leases_consumer(const struct leases *leases, struct str name)
{
	return table_find(&leases->consumers, keyed_hash_text(name), same_consumer, &name);
}

static struct consumer *
find_or_add_consumer(struct leases *leases, struct str name)
{
	struct keyed_hash hash = keyed_hash_text(name);
	struct consumer *consumer = table_find(&leases->consumers, hash, same_consumer, &name);

	if (consumer == NULL) {
		consumer = mem_alloc(sizeof(*consumer) + name.len);
		consumer->hash = hash;
		consumer->name = (struct str){ memcpy(consumer + 1, name.s, name.len), name.len };
		leases->lease_bytes += sizeof(*consumer) + name.len;
		table_add(&leases->consumers, hash, consumer);
	}
	return consumer;
}

static void
leave_consumer(struct leases *leases, struct lease *lease)
{
	struct consumer *consumer = lease->consumer;

	LIST_REMOVE(lease, beside);
	if (!LIST_EMPTY(&consumer->leases))
		return;
	leases->lease_bytes -= sizeof(*consumer) + consumer->name.len;
	table_remove(&leases->consumers, consumer->hash, consumer);
	free(consumer);
}

struct lease *
leases_add(struct leases *leases, const struct lease *from, struct str consumer)
{
	struct lease *lease = mem_alloc(lease_bytes(from));
	int64_t *ids = (int64_t *)(lease + 1);

	*lease = *from;
	lease->ids = memcpy(ids, from->ids, from->count * sizeof(*ids));
	lease->live = 0;
	lease->touched = false;
	if (consumer.s != NULL) {
		lease->consumer = find_or_add_consumer(leases, consumer);
		LIST_INSERT_HEAD(&lease->consumer->leases, lease, beside);
	}
	leases->lease_bytes += lease_bytes(lease);
	table_add(&leases->by_id, keyed_hash_id(lease->id), lease);
	return lease;
}

void
leases_remove(struct leases *leases, struct lease *lease)
{
	leases->lease_bytes -= lease_bytes(lease);
	if (lease->consumer != NULL)
		leave_consumer(leases, lease);
	table_remove(&leases->by_id, keyed_hash_id(lease->id), lease);
	free(lease);
}

void
leases_touch(struct leases *leases, struct lease *lease)
{
	if (lease->touched)
		return;
	lease->touched = true;
	leases->touched = mem_grow(leases->touched, &leases->touched_cap, leases->touched_count + 1,
				   sizeof(*leases->touched));
	leases->touched[leases->touched_count++] = lease;
}

void
leases_untouch(struct leases *leases, const struct lease *lease)
{
	size_t i = leases->touched_count;

	while (leases->touched[--i] != lease)
		assert(i > 0);
	leases->touched[i] = leases->touched[--leases->touched_count];
}
