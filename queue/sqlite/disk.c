/*
 * disk.c - room on the disk: who may use it, and what is kept in reserve.
 *
 * Producers must not stop consumers by filling the disk, and taking events out needs room too: an
 * outcome is a row, which goes to the WAL and from there to the database. So events are refused
 * while there still is room: when the database would grow over max_bytes, or when less than
 * min_free_bytes would be left on the disk. The driver computes that before it writes a batch,
 * because a single batch can be larger than what is free. Outcomes have no such limits.
 *
 * Other programs fill the disk as well. So beside the database there is a reserve file. It is
 * removed when nothing else gives room, and made again when there is plenty.
 */
#include "queue/sqlite/disk.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include <unistd.h>

#include "queue/sqlite/path.h"

#define RESERVE_BYTES (8 << 20)        /* for 50,000 outcomes, and a WAL to write them to */
#define OPENING_BYTES (1 << 20)        /* for the WAL and the WAL-index */
#define EVENT_ROW_BYTES 1024           /* an event without its text; most need much less */
#define PAGES_MAX UINT64_C(0xfffffffe) /* SQLite's own limit */

/* --- the reserve file --- */

bool
disk_remove_reserve(struct sqlite_store *store)
{
	char *name = path_with_suffix(store->path, ".reserve");
	bool given = unlink(name) == 0;

	store->reserved = false;
	free(name);
	return given;
}

static void
make_reserve(struct sqlite_store *store)
{
	char *name = path_with_suffix(store->path, ".reserve");
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	store->reserved = true; /* even if it fails, so that it is not tried every second */
	if (fd >= 0 && posix_fallocate(fd, 0, RESERVE_BYTES) != 0)
		unlink(name);
	if (fd >= 0)
		close(fd);
	free(name);
}

/* --- free space --- */

static uint64_t
free_bytes(const struct sqlite_store *store)
{
	struct statvfs fs;

	return fstatvfs(store->lock_fd, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize
						  : UINT64_MAX;
}

static uint64_t
minus(uint64_t bytes, uint64_t taken)
{
	return bytes > taken ? bytes - taken : 0;
}

void
disk_prepare_open(struct sqlite_store *store)
{
	if (free_bytes(store) < OPENING_BYTES)
		disk_remove_reserve(store);
}

/* The frames in the WAL will need as much room again in the database. */
void
disk_measure(struct sqlite_store *store)
{
	uint64_t wanted = store->min_free_bytes;

	store->free_bytes = minus(free_bytes(store), (uint64_t)store->wal_frames * PAGE_BYTES);
	store->full = store->free_bytes < wanted;
	if (!store->reserved && minus(store->free_bytes, 2 * RESERVE_BYTES) > wanted)
		make_reserve(store);
}

/*
 * Takes the room that the batch needs off the free space. What other programs write is seen at the
 * next measurement.
 */
static bool
claim_room(struct sqlite_store *store, const struct store_batch *batch)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < batch->event_count; i++)
		bytes += EVENT_ROW_BYTES + batch->events[i].event.text.len;
	bytes *= 2; /* in the WAL, and from there in the database */
	if (minus(store->free_bytes, bytes) < store->min_free_bytes)
		disk_measure(store);
	if (minus(store->free_bytes, bytes) < store->min_free_bytes)
		return false; /* but a smaller batch may have room: the store is not full */
	store->free_bytes = minus(store->free_bytes, bytes);
	return true;
}

void
disk_set_cap(struct sqlite_store *store, bool events)
{
	char pragma[64];
	uint64_t pages = store->max_bytes / PAGE_BYTES;

	if (pages == 0 || store->capped == events)
		return;
	store->capped = events;
	snprintf(pragma, sizeof(pragma), "PRAGMA max_page_count = %" PRIu64,
		 events ? pages : PAGES_MAX);
	sqlite3_exec(store->db, pragma, NULL, NULL, NULL);
}

bool
disk_admit_batch(struct sqlite_store *store, const struct store_batch *batch)
{
	disk_set_cap(store, batch->event_count > 0);
	return batch->event_count == 0 || claim_room(store, batch);
}
