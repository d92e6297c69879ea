/*
 * disk.c - room on the disk: who may use it, and what is kept back.
 *
 * Who puts events in must not stop who takes them out, and taking needs room too: an outcome is a
 * row, which goes to the log and from there to the database. So events are refused before the room
 * is used up: where the database would grow over max_bytes, and where less than min_free_bytes
 * would be left on the disk. That is counted before a batch is written, because one batch can be
 * more than there was. Outcomes have no such limits.
 *
 * Others fill disks as well. Beside the database stands a reserve, a file that is given up when
 * there is no room for anything else, and made again when there is plenty.
 */
#include "queue/sqlite/disk.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include <unistd.h>

#include "queue/sqlite/path.h"

#define RESERVE_BYTES (8 << 20)        /* some 50,000 outcomes, and a log to write them to */
#define OPENING_BYTES (1 << 20)        /* for the log and its index */
#define EVENT_ROW_BYTES 1024           /* of an event without its text; most have much less */
#define PAGES_MAX UINT64_C(0xfffffffe) /* SQLite's own limit */

/* --- the reserve --- */

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

	store->reserved = true; /* where it cannot be made now, it is not tried each second */
	if (fd >= 0 && posix_fallocate(fd, 0, RESERVE_BYTES) != 0)
		unlink(name);
	if (fd >= 0)
		close(fd);
	free(name);
}

/* --- what is free --- */

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

/* What is in the log will take as much in the database. */
void
disk_measure(struct sqlite_store *store)
{
	uint64_t wanted = store->min_free_bytes;

	store->free_bytes = minus(free_bytes(store), (uint64_t)store->wal_frames * PAGE_BYTES);
	store->full = store->free_bytes < wanted;
	if (!store->reserved && minus(store->free_bytes, 2 * RESERVE_BYTES) > wanted)
		make_reserve(store);
}

/* Between two looks only our own writing is counted; who else writes is seen at the next. */
static bool
claim_room(struct sqlite_store *store, const struct store_batch *batch)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < batch->event_count; i++)
		bytes += EVENT_ROW_BYTES + batch->events[i].event.text.len;
	bytes *= 2; /* in the log, and from there in the database */
	if (minus(store->free_bytes, bytes) < store->min_free_bytes)
		disk_measure(store);
	if (minus(store->free_bytes, bytes) < store->min_free_bytes)
		return false; /* a smaller one may have room */
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
