/*
 * disk.c - room on the disk: who may use it, and what is kept in reserve.
 *
 * Producers must not stop consumers by filling the disk, and taking events out needs room too: an
 * outcome is a row, which goes to the WAL and from there to the database. So events are refused
 * while there still is room: when the database would grow over max_bytes, or when less than
 * min_free_bytes would be left. The driver computes that before it writes a batch, because a single
 * batch can be larger than what is free. Outcomes have no such limits.
 *
 * What counts as room. What is free on the disk, and most of what SQLite has free inside its file:
 * pages that the sweep has emptied and that the next rows are written to, for a file never shrinks.
 * Some of them are left for what the reserve lacks. What the WAL takes counts as free, because it
 * is cut where room is short; the pages in it that stand behind the end of the database will need
 * room when they are checkpointed, and are taken off.
 *
 * Before events are refused, settled ones give way: the sweep (sweep.c) is told that room is short
 * when less than ROOM_AHEAD_BYTES are left above a limit (less on a small disk), or less than a
 * batch needs that did not fit, and goes on until there is as much again or nothing settled is
 * left. Until then such a batch waits (store.makes_room); it is refused if there is no room even
 * so.
 *
 * Other programs fill the disk as well. So beside the database there is a reserve file. It is
 * removed when nothing else gives room, and made again, at first smaller, as soon as the disk has
 * more than min_free_bytes free: it takes half of what is above that, so that making it refuses no
 * event.
 */
#include "queue/sqlite/disk.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <unistd.h>

#include "queue/clock.h"
#include "queue/sqlite/path.h"
#include "queue/sqlite/wal.h"

#define RESERVE_BYTES (8 << 20)        /* for 50,000 outcomes, and a WAL to write them to */
#define RESERVE_STEP_BYTES (256 << 10) /* it does not grow by less */
#define RESERVE_RETRY_MS 2000          /* after it could not be made */
/* of the WAL between two checkpoints, and of the pages that go from there to the database */
#define WAL_AHEAD_BYTES (8 << 20)
#define MIN_FREE_BYTES (4 << 20)       /* less than that is not left free by events */
#define OPENING_BYTES (1 << 20)        /* for the WAL and the WAL-index */
#define ROOM_AHEAD_BYTES (8 << 20)     /* for the events of a moment */
#define LARGE_BATCH_BYTES (256 << 10)  /* measuring costs little beside writing so much */
#define EVENT_ROW_BYTES 1024           /* an event without its text; most need much less */
#define FRAME_BYTES (PAGE_BYTES + 24)  /* of the WAL: a page and its header */
#define PAGES_MAX UINT64_C(0xfffffffe) /* SQLite's own limit */
#define CAP_PAGES_MIN 2                /* with fewer pages below max_bytes no event is tried */
#define REFUSED_FOR_MS 3000            /* how long a refusal is held against the store */

static uint64_t
minus(uint64_t bytes, uint64_t taken)
{
	return bytes > taken ? bytes - taken : 0;
}

static uint64_t
lower(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* --- the reserve file --- */

bool
disk_remove_reserve(struct sqlite_store *store)
{
	char *name = path_with_suffix(store->path, ".reserve");
	bool given = unlink(name) == 0;

	store->reserve_after_ms = 0;
	free(name);
	return given;
}

static void
grow_reserve(struct sqlite_store *store, uint64_t bytes)
{
	char *name = path_with_suffix(store->path, ".reserve");
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (fd < 0 || posix_fallocate(fd, 0, (off_t)bytes) != 0)
		store->reserve_after_ms = clock_monotonic_us() / 1000 + RESERVE_RETRY_MS;
	if (fd >= 0)
		close(fd);
	free(name);
}

static uint64_t
reserve_bytes(const struct sqlite_store *store)
{
	char *name = path_with_suffix(store->path, ".reserve");
	struct stat st;
	uint64_t bytes = lstat(name, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;

	free(name);
	return bytes;
}

/* What events leave free on the disk: without it nothing could be written at all. */
static uint64_t
kept_free(const struct sqlite_store *store)
{
	return store->min_free_bytes > MIN_FREE_BYTES ? store->min_free_bytes : MIN_FREE_BYTES;
}

/* Not more than a quarter of a small disk. */
static uint64_t
reserve_wanted(const struct room *room)
{
	return lower(RESERVE_BYTES, room->total / 4);
}

/* --- room --- */

uint64_t
disk_free_bytes(const struct sqlite_store *store)
{
	struct statvfs fs;

	return fstatvfs(store->lock_fd, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : INT64_MAX;
}

void
disk_prepare_open(struct sqlite_store *store)
{
	if (disk_free_bytes(store) < OPENING_BYTES)
		disk_remove_reserve(store);
}

/* The number that a PRAGMA answers; 0 if it cannot be read. */
static uint64_t
read_pages(struct sqlite_store *store, enum statement which)
{
	sqlite3_stmt *row = store->statement[which];
	uint64_t pages =
	    sqlite3_step(row) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(row, 0) : 0;

	sqlite3_reset(row);
	return pages;
}

uint64_t
disk_database_bytes(struct sqlite_store *store)
{
	return read_pages(store, STATEMENT_PAGE_COUNT) * PAGE_BYTES;
}

uint64_t
disk_file_bytes(sqlite3_file *file)
{
	sqlite3_int64 bytes = 0;

	if (file == NULL || file->pMethods == NULL || file->pMethods->xFileSize(file, &bytes) != 0)
		return 0;
	return (uint64_t)bytes;
}

static void
measure_room(struct sqlite_store *store)
{
	struct room *room = &store->room;
	uint64_t pages = read_pages(store, STATEMENT_PAGE_COUNT),
		 free_pages = read_pages(store, STATEMENT_FREE_PAGES);
	uint64_t wal_bytes = disk_file_bytes(wal_of(store->db)), on_disk = disk_free_bytes(store);
	sqlite3_file *database = NULL;

	sqlite3_file_control(store->db, "main", SQLITE_FCNTL_FILE_POINTER, &database);
	room->inside = free_pages * PAGE_BYTES;
	room->used = minus(pages, free_pages) * PAGE_BYTES;
	room->growth = minus(pages * PAGE_BYTES, disk_file_bytes(database));
	room->wal = minus(on_disk + minus(wal_bytes, (uint64_t)store->wal_frames * FRAME_BYTES),
			  room->growth);
	room->reserve = reserve_bytes(store);
	/* the WAL counts as free: where room is short it is cut */
	uint64_t outside = on_disk + wal_bytes;
	room->total =
	    minus(minus(room->used + room->inside + outside + room->reserve, room->growth),
		  kept_free(store));
	uint64_t spare = minus(room->inside, minus(reserve_wanted(room), room->reserve));
	room->disk = minus(minus(outside + spare, room->growth), kept_free(store));
	room->cap = store->max_bytes > 0
			? (minus(store->max_bytes / PAGE_BYTES, pages) + free_pages) * PAGE_BYTES
			: INT64_MAX;
}

/* How much room the sweep keeps free for the next events. */
static uint64_t
room_ahead(const struct sqlite_store *store)
{
	uint64_t ahead = lower(ROOM_AHEAD_BYTES, store->room.total / 8);

	if (store->max_bytes > 0)
		ahead = lower(ahead, store->max_bytes / 8);
	return ahead > store->refused_bytes ? ahead : store->refused_bytes;
}

uint64_t
disk_kept_bytes(struct sqlite_store *store)
{
	measure_room(store);
	return kept_free(store) + room_ahead(store) + store->room.growth;
}

static enum store_limit
limit_of_disk(const struct sqlite_store *store)
{
	return store->min_free_bytes >= MIN_FREE_BYTES ? STORE_LIMIT_MIN_FREE : STORE_LIMIT_DISK;
}

static enum store_limit
limit_reached(const struct sqlite_store *store)
{
	if (store->room.disk == 0)
		return limit_of_disk(store);
	if (store->room.cap < CAP_PAGES_MIN * PAGE_BYTES)
		return STORE_LIMIT_MAX_BYTES;
	return store->room.wal < OPENING_BYTES || store->starved ? STORE_LIMIT_DISK
								 : STORE_LIMIT_NONE;
}

static void
note_refusal(struct sqlite_store *store, enum store_limit limit)
{
	if (store->base.limit == STORE_LIMIT_NONE)
		store->base.limit = limit;
	store->refused_ms = clock_monotonic_us() / 1000;
}

void
disk_note_sweep(struct sqlite_store *store)
{
	store->base.makes_room = store->more_to_sweep && store->short_of_room &&
				 (store->full || store->refused_bytes > 0);
}

/*
 * Whether what was refused would be taken now; or nobody has asked for it for a while, and there is
 * nothing to sweep for it.
 */
static bool
has_recovered(const struct sqlite_store *store)
{
	if (!store->short_of_room && store->room.wal >= store->refused_bytes + OPENING_BYTES)
		return true;
	return !store->more_to_sweep &&
	       clock_monotonic_us() / 1000 - store->refused_ms > REFUSED_FOR_MS;
}

void
disk_measure(struct sqlite_store *store)
{
	uint64_t ahead, room;

	measure_room(store);
	ahead = room_ahead(store);
	store->starved = store->starved && store->room.inside < ahead;
	room = store->starved ? store->room.inside : lower(store->room.disk, store->room.cap);
	store->short_by = minus(ahead, room);
	store->short_of_room = store->short_by > 0;
	store->short_of_wal = store->short_of_room || store->room.wal < WAL_AHEAD_BYTES;
	enum store_limit limit = limit_reached(store);
	store->full = limit != STORE_LIMIT_NONE;
	if (store->full)
		note_refusal(store, limit);
	else if (has_recovered(store))
		store->refused_bytes = store->base.limit = 0;
	store->base.wants_chores =
	    store->short_of_room || store->base.limit != STORE_LIMIT_NONE ||
	    reserve_wanted(&store->room) >= store->room.reserve + RESERVE_STEP_BYTES;
}

static void
see_to_reserve(struct sqlite_store *store)
{
	uint64_t bytes = reserve_bytes(store);
	uint64_t above = minus(minus(disk_free_bytes(store), store->room.growth), kept_free(store));
	uint64_t wanted = lower((bytes + above) / 2, reserve_wanted(&store->room));

	if (wanted >= bytes + RESERVE_STEP_BYTES &&
	    clock_monotonic_us() / 1000 >= store->reserve_after_ms)
		grow_reserve(store, wanted);
}

void
disk_measure_again(struct sqlite_store *store)
{
	store->starved = false;
	measure_room(store);
	see_to_reserve(store);
	disk_measure(store);
	/* pages that are free inside the file do as well, if only the WAL can grow */
	if (store->room.wal < 2 * OPENING_BYTES && store->room.inside >= store->room.reserve &&
	    disk_remove_reserve(store))
		disk_measure(store);
}

/* --- who may use it --- */

static uint64_t
batch_bytes(const struct store_batch *batch)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < batch->event_count; i++)
		bytes += EVENT_ROW_BYTES + batch->events[i].event.text.len;
	return bytes;
}

/*
 * At which limit a batch of so many bytes does not fit. The cap is SQLite's to decide: what rows
 * need of it is known only when they are written.
 */
static enum store_limit
limit_met(const struct sqlite_store *store, uint64_t bytes)
{
	if (store->room.disk < 2 * bytes) /* in the WAL, and from there in the database */
		return limit_of_disk(store);
	return store->room.wal < 2 * bytes + OPENING_BYTES ? STORE_LIMIT_DISK : STORE_LIMIT_NONE;
}

/* Refuses the batch, or lets it wait for what the sweep can do for it. */
static void
refuse(struct sqlite_store *store, enum store_limit limit, uint64_t bytes)
{
	bool in_vain = 2 * bytes <= store->refused_bytes && !store->more_to_sweep;

	if (2 * bytes > store->refused_bytes)
		store->refused_bytes = 2 * bytes;
	if (in_vain)
		note_refusal(store, limit);
	store->refused_ms = clock_monotonic_us() / 1000;
	disk_measure(store);
	store->more_to_sweep = true;
	store->base.makes_room = !in_vain;
}

/* Whether what is known of the room is too old or too little to rely on for so many bytes. */
static bool
needs_measuring(const struct sqlite_store *store, uint64_t bytes)
{
	return bytes > LARGE_BATCH_BYTES || limit_met(store, bytes) != STORE_LIMIT_NONE ||
	       lower(store->room.disk, store->room.cap) < bytes + room_ahead(store) ||
	       store->room.wal < 2 * bytes + WAL_AHEAD_BYTES;
}

/*
 * Takes the room that the batch needs off the room that is known. What other programs write is seen
 * at the next measurement.
 */
static bool
claim_room(struct sqlite_store *store, const struct store_batch *batch)
{
	uint64_t bytes = batch_bytes(batch);

	if (needs_measuring(store, bytes))
		disk_measure(store);
	enum store_limit limit = limit_met(store, bytes);
	if (limit != STORE_LIMIT_NONE) {
		refuse(store, limit, bytes); /* but the store need not be full for a smaller one */
		return false;
	}
	store->room.disk = minus(store->room.disk, 2 * bytes);
	store->room.wal = minus(store->room.wal, 2 * bytes);
	store->room.cap = minus(store->room.cap, bytes);
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

/* The cap is the likely reason where it leaves no more room than the batch may have needed. */
void
disk_refuse_batch(struct sqlite_store *store, const struct store_batch *batch)
{
	uint64_t bytes = batch_bytes(batch);

	measure_room(store);
	bool capped = store->max_bytes > 0 && store->room.cap <= 2 * bytes;
	store->starved = !capped;
	if (capped && store->base.limit == STORE_LIMIT_DISK) /* as transaction.c took it for */
		store->base.limit = STORE_LIMIT_NONE;
	refuse(store, capped ? STORE_LIMIT_MAX_BYTES : STORE_LIMIT_DISK, bytes);
}
